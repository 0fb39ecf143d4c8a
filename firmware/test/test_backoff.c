#include "test.h"
#include "unhidra/backoff.h"

static void fill(void *ctx, uint8_t *b, size_t n) {
    for (size_t i = 0; i < n; i++)
        b[i] = (uint8_t)(test_random(ctx) >> 24);
}

/* Waits are anywhere between nothing and a bound that doubles: devices that begin together spread. */
void test_backoff(void) {
    uint32_t seed = 7;
    uh_random random = {&seed, fill};
    uint32_t bounds[] = {500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000}, low[9] = {0}, high[9] = {0};
    for (int run = 0; run < 400; run++) {
        uh_backoff b = {0, 0, 0};
        for (size_t i = 0; i < 9; i++) {
            uint32_t wait = uh_backoff_next(&b, &random, 0);
            CHECK(wait <= bounds[i]);
            low[i] += wait < bounds[i] / 4;
            high[i] += wait > bounds[i] / 4 * 3;
        }
        uh_backoff_reset(&b);
        CHECK(uh_backoff_next(&b, &random, 0) <= 500);
    }
    for (size_t i = 0; i < 9; i++)
        CHECK(low[i] > 50 && high[i] > 50);
    uh_backoff b = {1, UINT32_MAX, 0};
    for (int i = 0; i < 100; i++)
        CHECK(uh_backoff_next(&b, &random, 3000) >= 3000);
    CHECK(uh_backoff_next(&b, &random, UINT32_MAX) == UINT32_MAX);
}
