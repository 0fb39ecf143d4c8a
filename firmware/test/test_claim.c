#include "flash.h"
#include "test.h"
#include "unhidra/claim.h"

/* A server that answers one text, in pieces, and may be cut off. */
static struct {
    const char *says;
    size_t at, sent, piece;
    char got[512];
    int opened;
    uh_status breaks; /* at the end, instead of closing */
} server;

static uh_status open_it(void *ctx) {
    (void)ctx;
    server.opened++;
    server.at = server.sent = 0;
    return UH_OK;
}

static uh_status read_it(void *ctx, uint8_t *b, size_t cap, uint32_t wait_ms, size_t *n) {
    size_t left = strlen(server.says) - server.at;
    (void)ctx;
    (void)wait_ms;
    if (left == 0)
        return server.breaks;
    *n = left < server.piece ? left : server.piece;
    *n = *n < cap ? *n : cap;
    memcpy(b, server.says + server.at, *n);
    server.at += *n;
    return UH_OK;
}

static uh_status write_it(void *ctx, const uint8_t *b, size_t n) {
    (void)ctx;
    memcpy(server.got + server.sent, b, n);
    server.sent += n;
    server.got[server.sent] = '\0';
    return UH_OK;
}

static void close_it(void *ctx) { (void)ctx; }

static test_values values;

static void fill(void *ctx, uint8_t *b, size_t n) {
    (void)ctx;
    for (size_t i = 0; i < n; i++)
        b[i] = (uint8_t)i;
}

static const uh_stream stream = {NULL, open_it, read_it, write_it, close_it};
static uh_store store;
static const uh_random source = {NULL, fill};

static uh_status claim(const char *says, size_t piece, uh_status breaks, char key[UH_KEY_SIZE]) {
    static char b[512];
    server.says = says;
    server.piece = piece;
    server.breaks = breaks;
    return uh_claim_key(&(uh_claim){"chat.example.org:443", "dc_token", &stream, &store, &source, b, sizeof b}, 1000, key);
}

#define GOOD "HTTP/1.0 201 Created\r\nContent-Type: application/json\r\n\r\n{\"device\":\"dev_1\",\"key\":\"dk_good\"}"

static void keys(void) {
    static const struct {
        const char *says;
        uh_status breaks, want;
    } bad[] = {{"HTTP/1.0 403 Forbidden\r\n\r\n{}", UH_CLOSED, UH_REFUSED},
               {"HTTP/1.1 400 Bad Request\r\n\r\n{}", UH_CLOSED, UH_REFUSED},
               {"HTTP/1.0 429 Too Many Requests\r\n\r\n{}", UH_CLOSED, UH_BUSY},
               {"HTTP/1.0 503 Service Unavailable\r\n\r\n", UH_CLOSED, UH_BUSY},
               {"SSH-2.0-OpenSSH_9.2\r\n", UH_CLOSED, UH_PROTOCOL},
               {"HTTP/1.0 201 Created\r\n\r\n{\"device\":\"dev_1\"}", UH_CLOSED, UH_MISSING},
               {"HTTP/1.0 201 Created\r\n\r\n{\"key\":\"a key\"}", UH_CLOSED, UH_PROTOCOL},
               {"HTTP/1.0 201 Created\r\n", UH_CLOSED, UH_PROTOCOL},
               {"", UH_CLOSED, UH_PROTOCOL},
               {GOOD, UH_IO, UH_IO},
               {GOOD, UH_AGAIN, UH_IO}};
    char key[UH_KEY_SIZE];
    store = test_values_make(&values);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(claim(bad[i].says, 7, bad[i].breaks, key) == bad[i].want);
    CHECK(strstr(server.got, "\"nonce\":\"AAECAwQFBgcICQoLDA0ODxAR\"") != NULL);
    for (size_t piece = 1; piece < sizeof GOOD; piece++) {
        CHECK(store.erase(store.ctx, "key") == UH_OK);
        CHECK(claim(GOOD, piece, UH_CLOSED, key) == UH_OK && strcmp(key, "dk_good") == 0);
    }
    CHECK(strcmp(server.got, "POST /api/v1/device-claims HTTP/1.0\r\nHost: chat.example.org:443\r\n"
                             "Content-Type: application/json\r\nContent-Length: 055\r\n\r\n"
                             "{\"token\":\"dc_token\",\"nonce\":\"AAECAwQFBgcICQoLDA0ODxAR\"}") == 0);
    server.opened = 0;
    memset(key, 0, sizeof key);
    CHECK(claim("", 1, UH_IO, key) == UH_OK && strcmp(key, "dk_good") == 0 && server.opened == 0); /* from the store */
    static char long_answer[1024];
    memset(long_answer, 'x', sizeof long_answer - 1);
    CHECK(store.erase(store.ctx, "key") == UH_OK);
    CHECK(claim(long_answer, 100, UH_CLOSED, key) == UH_SPACE);
}

void test_claim(void) { keys(); }
