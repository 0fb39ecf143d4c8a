#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <fcntl.h>
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <mbedtls/ssl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "posix.h"

enum { CONNECT_MS = 10000, WRITE_MS = 10000 };

struct posix_stream {
    const char *host, *port;
    bool tls;
    int fd;
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context random;
    mbedtls_x509_crt ca;
    mbedtls_ssl_config config;
    mbedtls_ssl_context ssl;
};

/* ready waits until the socket can be read or written: 1, or 0 after wait_ms, or below 0. */
static int ready(int fd, short events, int wait_ms) {
    struct pollfd p = {.fd = fd, .events = events};
    int n;
    do
        n = poll(&p, 1, wait_ms);
    while (n < 0 && errno == EINTR);
    return n;
}

static int bio_send(void *ctx, const unsigned char *b, size_t n) {
    posix_stream *s = ctx;
    for (;;) {
        ssize_t sent = send(s->fd, b, n, MSG_NOSIGNAL);
        if (sent >= 0)
            return (int)sent;
        if (errno != EAGAIN && errno != EINTR)
            return MBEDTLS_ERR_SSL_INTERNAL_ERROR;
        if (errno == EAGAIN && ready(s->fd, POLLOUT, WRITE_MS) <= 0)
            return MBEDTLS_ERR_SSL_TIMEOUT;
    }
}

static int bio_recv(void *ctx, unsigned char *b, size_t n, uint32_t wait_ms) {
    posix_stream *s = ctx;
    for (;;) {
        ssize_t got = recv(s->fd, b, n, 0);
        if (got >= 0)
            return (int)got;
        if (errno != EAGAIN && errno != EINTR)
            return MBEDTLS_ERR_SSL_INTERNAL_ERROR;
        if (errno == EAGAIN && ready(s->fd, POLLIN, (int)wait_ms) == 0)
            return MBEDTLS_ERR_SSL_TIMEOUT;
    }
}

/* dial connects to one address; below 0: it does not. */
static int dial(const struct addrinfo *a) {
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, a->ai_protocol), failed = 0, on = 1;
    socklen_t size = sizeof failed;
    if (fd < 0)
        return -1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (fcntl(fd, F_SETFL, O_NONBLOCK) == 0) {
        if (connect(fd, a->ai_addr, a->ai_addrlen) == 0)
            return fd;
        if (errno == EINPROGRESS && ready(fd, POLLOUT, CONNECT_MS) > 0 &&
            getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &size) == 0 && failed == 0)
            return fd;
    }
    close(fd);
    return -1;
}

static void stream_close(void *ctx) {
    posix_stream *s = ctx;
    if (s->fd < 0)
        return;
    if (s->tls)
        (void)mbedtls_ssl_close_notify(&s->ssl);
    close(s->fd);
    s->fd = -1;
}

static uh_status handshake(posix_stream *s) {
    char why[160];
    mbedtls_ssl_conf_read_timeout(&s->config, CONNECT_MS);
    if (mbedtls_ssl_session_reset(&s->ssl) != 0)
        return UH_IO;
    mbedtls_ssl_set_bio(&s->ssl, s, bio_send, NULL, bio_recv);
    int r = mbedtls_ssl_handshake(&s->ssl);
    if (r == 0)
        return UH_OK;
    mbedtls_strerror(r, why, sizeof why);
    fprintf(stderr, "TLS: %s (-0x%04x)\n", why, (unsigned)-r);
    uint32_t flags = mbedtls_ssl_get_verify_result(&s->ssl);
    if (flags != 0 && flags != UINT32_MAX) {
        mbedtls_x509_crt_verify_info(why, sizeof why, "TLS: ", flags);
        fprintf(stderr, "%s", why);
    }
    return UH_IO;
}

static uh_status stream_open(void *ctx) {
    posix_stream *s = ctx;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
    if (getaddrinfo(s->host, s->port, &hints, &list) != 0)
        return UH_IO;
    s->fd = -1;
    for (const struct addrinfo *a = list; a != NULL && s->fd < 0; a = a->ai_next)
        s->fd = dial(a);
    freeaddrinfo(list);
    if (s->fd < 0)
        return UH_IO;
    uh_status got = s->tls ? handshake(s) : UH_OK;
    if (got != UH_OK)
        stream_close(s);
    return got;
}

static uh_status stream_read(void *ctx, uint8_t *b, size_t cap, uint32_t wait_ms, size_t *n) {
    posix_stream *s = ctx;
    int r;
    if (s->tls) {
        mbedtls_ssl_conf_read_timeout(&s->config, wait_ms);
        do
            r = mbedtls_ssl_read(&s->ssl, b, cap);
        while (r == MBEDTLS_ERR_SSL_WANT_READ || r == MBEDTLS_ERR_SSL_WANT_WRITE);
    } else {
        r = bio_recv(s, b, cap, wait_ms);
    }
    if (r > 0) {
        *n = (size_t)r;
        return UH_OK;
    }
    return r == MBEDTLS_ERR_SSL_TIMEOUT                             ? UH_AGAIN
           : r == 0 || r == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY ? UH_CLOSED
                                                              : UH_IO;
}

static uh_status stream_write(void *ctx, const uint8_t *b, size_t n) {
    posix_stream *s = ctx;
    while (n > 0) {
        int r = s->tls ? mbedtls_ssl_write(&s->ssl, b, n) : bio_send(s, b, n);
        if (r == MBEDTLS_ERR_SSL_WANT_READ || r == MBEDTLS_ERR_SSL_WANT_WRITE)
            continue;
        if (r <= 0)
            return UH_IO;
        b += r;
        n -= (size_t)r;
    }
    return UH_OK;
}

posix_stream *posix_stream_new(const char *host, const char *port, bool tls, const char *ca_file) {
    posix_stream *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    *s = (posix_stream){.host = host, .port = port, .tls = tls, .fd = -1};
    if (!tls)
        return s;
    mbedtls_entropy_init(&s->entropy);
    mbedtls_ctr_drbg_init(&s->random);
    mbedtls_x509_crt_init(&s->ca);
    mbedtls_ssl_config_init(&s->config);
    mbedtls_ssl_init(&s->ssl);
    int r = mbedtls_ctr_drbg_seed(&s->random, mbedtls_entropy_func, &s->entropy, NULL, 0);
    if (r == 0)
        r = mbedtls_x509_crt_parse_file(&s->ca, ca_file);
    if (r == 0)
        r = mbedtls_ssl_config_defaults(&s->config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                        MBEDTLS_SSL_PRESET_DEFAULT);
    mbedtls_ssl_conf_authmode(&s->config, MBEDTLS_SSL_VERIFY_REQUIRED);
    mbedtls_ssl_conf_ca_chain(&s->config, &s->ca, NULL);
    mbedtls_ssl_conf_rng(&s->config, mbedtls_ctr_drbg_random, &s->random);
    mbedtls_ssl_conf_min_version(&s->config, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3); /* TLS 1.2 */
    if (r == 0)
        r = mbedtls_ssl_setup(&s->ssl, &s->config);
    if (r == 0)
        r = mbedtls_ssl_set_hostname(&s->ssl, host);
    if (r == 0)
        return s;
    fprintf(stderr, "%s: the certificates of the authorities cannot be read (%d)\n", ca_file, r);
    posix_stream_free(s);
    return NULL;
}

void posix_stream_free(posix_stream *s) {
    stream_close(s);
    if (s->tls) {
        mbedtls_ssl_free(&s->ssl);
        mbedtls_ssl_config_free(&s->config);
        mbedtls_x509_crt_free(&s->ca);
        mbedtls_ctr_drbg_free(&s->random);
        mbedtls_entropy_free(&s->entropy);
    }
    free(s);
}

uh_stream posix_stream_port(posix_stream *s) {
    return (uh_stream){s, stream_open, stream_read, stream_write, stream_close};
}
