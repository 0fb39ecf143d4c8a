/* How long to wait before the next attempt: full jitter, so that devices that lost the server together do not come back
 * together. */
#ifndef UNHIDRA_BACKOFF_H
#define UNHIDRA_BACKOFF_H

#include "unhidra/port.h"

typedef struct {
    uint32_t base_ms; /* the first wait is at most this; 0: 500 */
    uint32_t cap_ms;  /* no wait is longer; 0: 30,000 */
    uint8_t attempts;
} uh_backoff;

/* uh_backoff_next returns a random wait of up to min(cap, base * 2^attempts), and at least least_ms. */
uint32_t uh_backoff_next(uh_backoff *b, const uh_random *random, uint32_t least_ms);
void uh_backoff_reset(uh_backoff *b);
/* uh_random_below returns a random number of 0 to n-1; n is not 0. */
uint32_t uh_random_below(const uh_random *random, uint32_t n);

#endif
