/* What a broken sensor sends: its numbers are refused or within what it can measure. */
#include <stdlib.h>
#include <string.h>

#include "unhidra/drivers.h"

int LLVMFuzzerTestOneInput(const uint8_t *b, size_t n);

static struct {
    const uint8_t *b;
    size_t n;
} rest;

static uh_status i2c(void *ctx, uint8_t address, const uint8_t *w, size_t wn, uint8_t *r, size_t rn) {
    (void)ctx;
    (void)address;
    if (rn == 0)
        return UH_OK;
    if (wn != 1 || rest.n < rn)
        return UH_IO;
    memcpy(r, rest.b, rn);
    if (w[0] == 0xD0)
        r[0] = 0x60;
    if (w[0] == 0xF4)
        r[0] = 0x27;
    rest.b += rn;
    rest.n -= rn;
    return UH_OK;
}

static void bme280(void) {
    static const uh_bus bus = {.i2c = i2c};
    uh_bme280 d = {.bus = &bus, .address = 0x77};
    uh_bme280_values v;
    for (;;) {
        size_t before = rest.n;
        uh_status got = uh_bme280_read(&d, &v);
        if (got == UH_OK && (v.temperature < -4000 || v.temperature > 8500 || v.humidity < 0 || v.humidity > 10000))
            abort();
        if (rest.n == before)
            return;
    }
}

static void dht22(const uint8_t *b, size_t n) {
    uint16_t us[96];
    int16_t humidity, temperature;
    size_t count = n < 96 ? n : 96;
    for (size_t i = 0; i < count; i++)
        us[i] = b[i];
    if (uh_dht22_decode(us, count, &humidity, &temperature) == UH_OK && humidity < 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *b, size_t n) {
    rest.b = b;
    rest.n = n;
    bme280();
    dht22(b, n);
    return 0;
}
