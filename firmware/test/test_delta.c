#include "test.h"
#include "unhidra/delta.h"

static const char old[] = "The greenhouse is at 21 degrees.\n", new[] = "The greenhouse is at 19 degrees now.\n";

/* The example of docs/firmware-signing.md, after its header. */
static const uint8_t patch[] = {0x04, 0x25, 0x44, 0x80, 0x47, 0xe0, 0x00, 0x02, 0x7f, 0xf8, 0x40,
                                0x24, 0x3c, 0x1a, 0x41, 0x6e, 0xb7, 0xdd, 0xe5, 0xd0, 0xa8, 0x00};

static char made[64];
static size_t made_n;

static uh_status from(void *ctx, uint32_t at, uint8_t *b, size_t n) {
    (void)ctx;
    CHECK(at + n <= strlen(old));
    memcpy(b, old + at, n);
    return UH_OK;
}

static uh_status to(void *ctx, uint8_t b) {
    (void)ctx;
    CHECK(made_n < sizeof made);
    made[made_n++] = (char)b;
    return UH_OK;
}

static uh_delta begun(void) {
    uh_delta d = {.read = from, .base_size = (uint32_t)strlen(old), .write = to, .size = (uint32_t)strlen(new)};
    uh_delta_begin(&d);
    made_n = 0;
    return d;
}

void test_delta(void) {
    uint8_t whole[64 + sizeof patch] = {0x10, 0xDE, 0xCD, 0xFC};
    memcpy(whole + 64, patch, sizeof patch);
    for (size_t step = 1; step <= sizeof whole; step++) {
        uh_delta d = begun();
        for (size_t at = 0; at < sizeof whole; at += step)
            CHECK(uh_delta_feed(&d, whole + at, step < sizeof whole - at ? step : sizeof whole - at) == UH_OK);
        CHECK(uh_delta_done(&d));
        CHECK_TEXT(made, made_n, new);
    }
    for (size_t cut = 0; cut < sizeof whole - 2; cut++) {
        uh_delta d = begun();
        CHECK(uh_delta_feed(&d, whole, cut) == UH_OK && !uh_delta_done(&d));
    }
    /* Whatever a bit is changed to, it makes no more than it may, and reads nothing that is not there. */
    for (size_t bit = 0; bit < 8 * sizeof whole; bit++) {
        uint8_t wrong[sizeof whole];
        memcpy(wrong, whole, sizeof whole);
        wrong[bit / 8] ^= (uint8_t)(1u << bit % 8);
        uh_delta d = begun();
        uh_status s = uh_delta_feed(&d, wrong, sizeof wrong);
        CHECK(made_n <= strlen(new));
        if (bit < 32 || (bit >= 512 && bit < 512 + 24))
            CHECK(s == UH_SYNTAX);
    }
}
