/* A server that answers a claim with anything, in pieces: a key that is taken can stand in a header, and is stored. */
#include <stdlib.h>
#include <string.h>

#include "flash.h"
#include "unhidra/claim.h"
#include "unhidra/setup.h"

int LLVMFuzzerTestOneInput(const uint8_t *b, size_t n);

static struct {
    const uint8_t *b;
    size_t n, at;
} server;

static uh_status open_it(void *ctx) {
    (void)ctx;
    server.at = 0;
    return UH_OK;
}

static uh_status read_it(void *ctx, uint8_t *b, size_t cap, uint32_t wait_ms, size_t *n) {
    size_t left = server.n - server.at, piece = 1 + server.at % 97;
    (void)ctx;
    (void)wait_ms;
    if (left == 0)
        return UH_CLOSED;
    *n = left < piece ? left : piece;
    *n = *n < cap ? *n : cap;
    memcpy(b, server.b + server.at, *n);
    server.at += *n;
    return UH_OK;
}

static uh_status write_it(void *ctx, const uint8_t *b, size_t n) {
    (void)ctx;
    return n > 0 && b[0] == 'P' ? UH_OK : UH_INVALID;
}

static void close_it(void *ctx) { (void)ctx; }

static void zeros(void *ctx, uint8_t *b, size_t n) {
    (void)ctx;
    memset(b, 0, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *b, size_t n) {
    static const uh_stream stream = {NULL, open_it, read_it, write_it, close_it};
    static const uh_random random = {NULL, zeros};
    static test_values values;
    static char buffer[512];
    char key[UH_KEY_SIZE], again[UH_KEY_SIZE];
    uh_store store = test_values_make(&values);
    server.b = b;
    server.n = n;
    uh_claim c = {"a:443", "dc_token", &stream, &store, &random, buffer, sizeof buffer};
    if (uh_claim_key(&c, 1000, key) == UH_OK) {
        server.n = 0; /* it is not asked for again */
        if (!uh_is_plain(key) || uh_claim_key(&c, 1000, again) != UH_OK || strcmp(key, again) != 0)
            abort();
    } else if (test_values_has(&values, "key", key)) {
        abort();
    }
    return 0;
}
