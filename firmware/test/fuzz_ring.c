/* A flash with anything in it is opened, and takes and gives records. */
#include <stdlib.h>
#include <string.h>

#include "flash.h"
#include "unhidra/outbox.h"

int LLVMFuzzerTestOneInput(const uint8_t *b, size_t n);

static uh_status none(void *ctx, int64_t *v) {
    (void)ctx;
    *v = 0;
    return UH_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *b, size_t n) {
    static const uh_sensor list[] = {
        {.id = 7, .kind = UH_NUMBER, .decimals = 1, .name = "temperature", .unit = "Cel", .period_ms = 1, .read = none},
        {.id = 9, .kind = UH_BOOL, .name = "relay", .period_ms = 1, .read = none}};
    static const uh_sensors sensors = {list, NULL, 2};
    static test_flash flash;
    static uint8_t scratch[2048], out[2048];
    uh_flash port = test_flash_make(&flash, 3);
    uh_ring ring;
    uh_outbox o;
    memset(flash.b, 0xFF, sizeof flash.b);
    /* The first sector is well, so that its records are looked at; CRCs are as they must be where the input says so. */
    if (uh_ring_open(&ring, &port, UH_KEEP_NEWEST) != UH_OK)
        abort();
    if (n > 0 && b[0] % 2 == 0) {
        memcpy(flash.b + SECTOR + 20, b + 1, n - 1 < SECTOR - 20 ? n - 1 : SECTOR - 20);
    } else {
        for (size_t at = 1; at + 2 < n;) {
            size_t len = b[at] < n - at - 2 ? b[at] : n - at - 2;
            if (uh_ring_append(&ring, b[at + 1] & 3, b + at + 2, len) != UH_OK)
                abort();
            at += 2 + len;
        }
    }
    if (uh_ring_open(&ring, &port, UH_KEEP_NEWEST) != UH_OK || uh_outbox_open(&o, &ring, &sensors, 5) != UH_OK)
        abort();
    uh_reading r = {7, UH_NUMBER, 1, 214};
    if (uh_outbox_add(&o, 1000, &r, 1) != UH_OK)
        abort();
    for (int i = 0; i < 2000; i++) {
        size_t len;
        uh_batch batch;
        uh_status s = uh_outbox_batch(&o, 2000, scratch, sizeof scratch, out, sizeof out, &len, &batch);
        if (s == UH_END)
            return 0;
        if (s != UH_OK || len > sizeof out || uh_outbox_acked(&o, &batch, UH_NOTHING_MISSING) != UH_OK)
            abort();
    }
    abort(); /* it never ends */
}
