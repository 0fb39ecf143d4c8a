#include "stream.h"

#include <mbedtls/ssl.h>
#include <psa/crypto.h>
#include <string.h>

#include "port.h"

enum { CONNECT_MS = 10000, WRITE_MS = 10000 };

static struct {
    char host[128];
    uint16_t port;
    bool ready;
    uint32_t wait_ms;
    mbedtls_x509_crt ca;
    mbedtls_ssl_config config;
    mbedtls_ssl_context ssl;
} stream;

static int fill(void *ctx, unsigned char *b, size_t n) {
    (void)ctx;
    chip_random(b, n);
    return 0;
}

psa_status_t mbedtls_psa_external_get_random(mbedtls_psa_external_random_context_t *ctx, uint8_t *b, size_t n,
                                             size_t *got) {
    (void)ctx;
    chip_random(b, n);
    *got = n;
    return PSA_SUCCESS;
}

static int bio_send(void *ctx, const unsigned char *b, size_t n) {
    (void)ctx;
    int sent = net_send(b, n, WRITE_MS);
    return sent > 0 ? sent : sent == NET_LATE ? MBEDTLS_ERR_SSL_TIMEOUT : MBEDTLS_ERR_SSL_INTERNAL_ERROR;
}

/* A wait of 0 means to Mbed TLS that there is no end to it: so the stream keeps its own. */
static int bio_recv(void *ctx, unsigned char *b, size_t n, uint32_t ms) {
    (void)ctx;
    (void)ms;
    int got = net_recv(b, n, stream.wait_ms);
    return got >= 0 ? got : got == NET_LATE ? MBEDTLS_ERR_SSL_TIMEOUT : MBEDTLS_ERR_SSL_INTERNAL_ERROR;
}

uh_status stream_to(const char *host, uint16_t port, const char *ca) {
    if (strlen(host) >= sizeof stream.host || ca[0] == '\0' || psa_crypto_init() != PSA_SUCCESS)
        return UH_INVALID;
    if (stream.ready) {
        mbedtls_ssl_free(&stream.ssl);
        mbedtls_ssl_config_free(&stream.config);
        mbedtls_x509_crt_free(&stream.ca);
    }
    strcpy(stream.host, host);
    stream.port = port;
    stream.ready = true;
    mbedtls_x509_crt_init(&stream.ca);
    mbedtls_ssl_config_init(&stream.config);
    mbedtls_ssl_init(&stream.ssl);
    if (mbedtls_x509_crt_parse(&stream.ca, (const unsigned char *)ca, strlen(ca) + 1) != 0 ||
        mbedtls_ssl_config_defaults(&stream.config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                    MBEDTLS_SSL_PRESET_DEFAULT) != 0)
        return UH_INVALID;
    mbedtls_ssl_conf_authmode(&stream.config, MBEDTLS_SSL_VERIFY_REQUIRED);
    mbedtls_ssl_conf_ca_chain(&stream.config, &stream.ca, NULL);
    mbedtls_ssl_conf_rng(&stream.config, fill, NULL);
    if (mbedtls_ssl_setup(&stream.ssl, &stream.config) != 0 || mbedtls_ssl_set_hostname(&stream.ssl, host) != 0)
        return UH_SPACE;
    return UH_OK;
}

static void hang_up(void *ctx) {
    (void)ctx;
    (void)mbedtls_ssl_close_notify(&stream.ssl);
    net_hang_up();
}

static uh_status dial(void *ctx) {
    if (!net_dial(stream.host, stream.port, CONNECT_MS))
        return UH_IO;
    stream.wait_ms = CONNECT_MS;
    if (mbedtls_ssl_session_reset(&stream.ssl) == 0) {
        mbedtls_ssl_set_bio(&stream.ssl, NULL, bio_send, NULL, bio_recv);
        if (mbedtls_ssl_handshake(&stream.ssl) == 0)
            return UH_OK;
    }
    hang_up(ctx);
    return UH_IO;
}

static uh_status receive(void *ctx, uint8_t *b, size_t cap, uint32_t wait_ms, size_t *n) {
    int r;
    (void)ctx;
    stream.wait_ms = wait_ms;
    do
        r = mbedtls_ssl_read(&stream.ssl, b, cap);
    while (r == MBEDTLS_ERR_SSL_WANT_READ || r == MBEDTLS_ERR_SSL_WANT_WRITE);
    if (r > 0) {
        *n = (size_t)r;
        return UH_OK;
    }
    return r == MBEDTLS_ERR_SSL_TIMEOUT                             ? UH_AGAIN
           : r == 0 || r == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY ? UH_CLOSED
                                                              : UH_IO;
}

static uh_status send_all(void *ctx, const uint8_t *b, size_t n) {
    (void)ctx;
    while (n > 0) {
        int r = mbedtls_ssl_write(&stream.ssl, b, n);
        if (r == MBEDTLS_ERR_SSL_WANT_READ || r == MBEDTLS_ERR_SSL_WANT_WRITE)
            continue;
        if (r <= 0)
            return UH_IO;
        b += r;
        n -= (size_t)r;
    }
    return UH_OK;
}

uh_stream stream_port(void) { return (uh_stream){NULL, dial, receive, send_all, hang_up}; }
