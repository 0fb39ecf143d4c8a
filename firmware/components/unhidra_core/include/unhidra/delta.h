/* Applies a patch of firmware while it comes: the format detools-heatshrink of docs/firmware-signing.md. */
#ifndef UNHIDRA_DELTA_H
#define UNHIDRA_DELTA_H

#include "unhidra/bytes.h"
#include "unhidra/status.h"

typedef struct {
    void *ctx;
    uh_status (*read)(void *ctx, uint32_t at, uint8_t *b, size_t n); /* from the image that the patch is for */
    uint32_t base_size;                                               /* bytes that may be read */
    /* write takes the next byte of the image that is made. */
    uh_status (*write)(void *ctx, uint8_t b);
    uint32_t size; /* of that image */

    uint8_t window[256]; /* what heatshrink may repeat */
    uint8_t window_at;
    uint32_t bits;
    uint8_t bit_count;
    uint8_t stage;
    uint8_t cache[64]; /* of the base, from cache_at on */
    uint32_t cache_at, cache_n;
    uint32_t head; /* bytes of the header that have come */
    int64_t number;
    uint8_t number_n;
    bool negative;
    uint32_t left, part; /* bytes that are still to be made, of all and of this part */
    int64_t at;          /* in the base */
} uh_delta;

void uh_delta_begin(uh_delta *d);
/* uh_delta_feed takes the next bytes of the patch. UH_SYNTAX: it is no patch, or not one that makes such an image. What
 * it makes has to be compared with the hash that it must have. */
uh_status uh_delta_feed(uh_delta *d, const uint8_t *b, size_t n);
/* uh_delta_done says whether the image is whole. */
bool uh_delta_done(const uh_delta *d);

#endif
