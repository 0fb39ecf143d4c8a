#include "unhidra/drivers.h"

/* By the data sheet of AM2302: the host holds the line low for at least 1 ms; the sensor answers with 80 µs low and
 * 80 µs high, and 40 bits, each 50 µs low and then 26 to 28 µs (0) or 70 µs (1) high. A bit is told by comparing the
 * two. */
enum { START_US = 1100, EVERY_MS = 2000, BITS = 40, FIRST = 3, LEVELS = FIRST + 2 * BITS + 1 };
enum { SHORTEST = 10, LONGEST = 120 };

uh_status uh_dht22_decode(const uint16_t *us, size_t n, int16_t *humidity, int16_t *temperature) {
    uint8_t b[BITS / 8] = {0};
    if (n < FIRST + 2 * BITS)
        return UH_PROTOCOL;
    for (size_t i = 0; i < BITS; i++) {
        uint16_t low = us[FIRST + 2 * i], high = us[FIRST + 2 * i + 1];
        if (low < SHORTEST || low > LONGEST || high < SHORTEST || high > LONGEST)
            return UH_PROTOCOL;
        b[i / 8] = (uint8_t)(b[i / 8] << 1 | (high > low));
    }
    if ((uint8_t)(b[0] + b[1] + b[2] + b[3]) != b[4])
        return UH_PROTOCOL;
    *humidity = (int16_t)((b[0] & 0x7F) << 8 | b[1]);
    *temperature = (int16_t)((b[2] & 0x7F) << 8 | b[3]); /* a sign, and how much */
    if ((b[2] & 0x80) != 0)
        *temperature = (int16_t)-*temperature;
    return UH_OK;
}

static uh_status ask(uh_dht22 *d) {
    uint64_t now = d->clock->uptime_ms(d->clock->ctx);
    uint16_t us[LEVELS];
    size_t n = 0;
    if (d->bus->levels == NULL)
        return UH_MISSING;
    if (d->asked && now - d->asked_at < EVERY_MS)
        return d->got;
    d->asked = true;
    d->asked_at = now;
    d->got = d->bus->levels(d->bus->ctx, d->pin, START_US, us, LEVELS, &n);
    if (d->got == UH_OK)
        d->got = uh_dht22_decode(us, n, &d->humidity, &d->temperature);
    return d->got;
}

static uh_status humidity(void *ctx, int64_t *v) {
    uh_dht22 *d = ctx;
    UH_TRY(ask(d));
    *v = d->humidity;
    return UH_OK;
}

static uh_status temperature(void *ctx, int64_t *v) {
    uh_dht22 *d = ctx;
    UH_TRY(ask(d));
    *v = d->temperature;
    return UH_OK;
}

uh_sensor uh_dht22_humidity(uh_dht22 *d, uint8_t id, const char *name) {
    return (uh_sensor){.id = id, .kind = UH_NUMBER, .decimals = 1, .name = name, .unit = "%RH", .bounded = true,
                       .min = 0, .max = 1000, .period_ms = 10000, .deadband = 10, .silence_ms = 600000,
                       .read = humidity, .ctx = d};
}

uh_sensor uh_dht22_temperature(uh_dht22 *d, uint8_t id, const char *name) {
    return (uh_sensor){.id = id, .kind = UH_NUMBER, .decimals = 1, .name = name, .unit = "Cel", .bounded = true,
                       .min = -400, .max = 800, .period_ms = 10000, .deadband = 2, .silence_ms = 600000,
                       .read = temperature, .ctx = d};
}
