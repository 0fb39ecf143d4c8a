#include "unhidra/backoff.h"

#include "unhidra/bytes.h"

uint32_t uh_random_below(const uh_random *random, uint32_t n) {
    uint8_t b[8];
    random->fill(random->ctx, b, sizeof b);
    return (uint32_t)(uh_get64(b) % n); /* of 64 bits, so that no number is likelier by more than 2^-32 */
}

uint32_t uh_backoff_next(uh_backoff *b, const uh_random *random, uint32_t least_ms) {
    uint32_t base = b->base_ms != 0 ? b->base_ms : 500, cap = b->cap_ms != 0 ? b->cap_ms : 30000;
    uint64_t most = (uint64_t)base << b->attempts;
    if (most < cap)
        b->attempts++; /* at most 32, so that the shift stays below 64 */
    else
        most = cap;
    uint64_t wait = (uint64_t)least_ms + uh_random_below(random, (uint32_t)most + (most < UINT32_MAX));
    return wait < UINT32_MAX ? (uint32_t)wait : UINT32_MAX;
}

void uh_backoff_reset(uh_backoff *b) { b->attempts = 0; }
