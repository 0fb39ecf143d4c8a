/* What a server sends: the head of its answer, and frames. However they are cut, they mean the same. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unhidra/ws.h"

int LLVMFuzzerTestOneInput(const uint8_t *b, size_t n);

static uh_status take(const uint8_t *in, size_t n, size_t step, uint32_t *sum) {
    uint8_t b[64];
    uh_ws_receiver r;
    uh_ws_receive(&r, b, sizeof b);
    for (size_t at = 0; at < n;) {
        size_t used;
        uh_ws_event e;
        uh_status s = uh_ws_feed(&r, in + at, n - at < step ? n - at : step, &used, &e);
        if (s != UH_OK)
            return s;
        at += used;
        if (e == UH_WS_NOTHING)
            continue;
        uint8_t kind[4] = {(uint8_t)e, (uint8_t)r.len, r.truncated, r.control_len};
        *sum = uh_crc32(*sum, kind, sizeof kind);
        *sum = uh_crc32(*sum, b, r.len);
        *sum = uh_crc32(*sum, r.control, r.control_len);
    }
    return UH_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *b, size_t n) {
    static const uint8_t nonce[] = "the sample nonce";
    uh_ws_response r;
    uh_status s = uh_ws_read_response((const char *)b, n, nonce, &r);
    if ((s == UH_OK || s == UH_REFUSED) && r.size > n)
        abort();
    uint32_t whole = 0, bytes = 0;
    if (take(b, n, n > 0 ? n : 1, &whole) != take(b, n, 1, &bytes) || whole != bytes)
        abort();
    return 0;
}
