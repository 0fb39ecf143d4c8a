#include <string.h>
#include <sys/select.h>

#include "esp_crt_bundle.h"
#include "esp_timer.h"
#include "unhidra_esp.h"

enum { TIMEOUT_MS = 10000 };

static void stream_close(void *ctx) {
    uh_esp_stream *s = ctx;
    if (s->tls != NULL)
        esp_tls_conn_destroy(s->tls);
    s->tls = NULL;
}

static uh_status stream_open(void *ctx) {
    uh_esp_stream *s = ctx;
    esp_tls_cfg_t config = {.timeout_ms = TIMEOUT_MS};
    if (s->ca != NULL) {
        config.cacert_buf = s->ca;
        config.cacert_bytes = s->ca_size;
    } else {
        config.crt_bundle_attach = esp_crt_bundle_attach;
    }
    s->tls = esp_tls_init();
    if (s->tls == NULL)
        return UH_IO;
    if (esp_tls_conn_new_sync(s->host, (int)strlen(s->host), s->port, &config, s->tls) == 1)
        return UH_OK;
    stream_close(s);
    return UH_IO;
}

/* ready waits until there is something to read: 1, or 0, or below 0. */
static int ready(uh_esp_stream *s, uint32_t wait_ms) {
    int fd;
    fd_set set;
    struct timeval wait = {(time_t)(wait_ms / 1000), (suseconds_t)(wait_ms % 1000 * 1000)};
    if (esp_tls_get_bytes_avail(s->tls) > 0)
        return 1; /* decrypted already */
    if (esp_tls_get_conn_sockfd(s->tls, &fd) != ESP_OK)
        return -1;
    FD_ZERO(&set);
    FD_SET(fd, &set);
    return select(fd + 1, &set, NULL, NULL, &wait);
}

static uh_status stream_read(void *ctx, uint8_t *b, size_t cap, uint32_t wait_ms, size_t *n) {
    uh_esp_stream *s = ctx;
    int r = ready(s, wait_ms);
    if (r <= 0)
        return r == 0 ? UH_AGAIN : UH_IO;
    ssize_t got = esp_tls_conn_read(s->tls, b, cap);
    if (got > 0)
        *n = (size_t)got;
    return got > 0 ? UH_OK : got == ESP_TLS_ERR_SSL_WANT_READ ? UH_AGAIN : got == 0 ? UH_CLOSED : UH_IO;
}

static uh_status stream_write(void *ctx, const uint8_t *b, size_t n) {
    uh_esp_stream *s = ctx;
    int64_t late = esp_timer_get_time() + (int64_t)TIMEOUT_MS * 1000;
    while (n > 0) {
        ssize_t sent = esp_tls_conn_write(s->tls, b, n);
        if (sent == ESP_TLS_ERR_SSL_WANT_WRITE || sent == ESP_TLS_ERR_SSL_WANT_READ) {
            if (esp_timer_get_time() >= late)
                return UH_IO; /* the other side does not read */
            continue;
        }
        if (sent <= 0)
            return UH_IO;
        b += sent;
        n -= (size_t)sent;
    }
    return UH_OK;
}

uh_stream uh_esp_stream_port(uh_esp_stream *s) {
    return (uh_stream){s, stream_open, stream_read, stream_write, stream_close};
}
