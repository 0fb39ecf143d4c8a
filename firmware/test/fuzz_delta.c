/* A patch with anything in it reads nothing beyond the base, and makes no more than it says. */
#include <stdlib.h>
#include <string.h>

#include "unhidra/delta.h"

int LLVMFuzzerTestOneInput(const uint8_t *b, size_t n);

static uint32_t made;

static uh_status from(void *ctx, uint32_t at, uint8_t *b, size_t n) {
    if (at + n > 1000)
        abort();
    memcpy(b, (uint8_t *)ctx + at, n);
    return UH_OK;
}

static uh_status to(void *ctx, uint8_t b) {
    (void)ctx;
    (void)b;
    made++;
    return UH_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *b, size_t n) {
    static uint8_t old[1000];
    if (n < 2)
        return 0;
    uh_delta d = {.ctx = old, .read = from, .base_size = sizeof old, .write = to, .size = (uint32_t)(b[0] << 8 | b[1])};
    made = 0;
    uh_delta_begin(&d);
    uh_status s = uh_delta_feed(&d, b + 2, n - 2);
    if (made > d.size || (uh_delta_done(&d) && s == UH_OK && made != d.size))
        abort();
    return 0;
}
