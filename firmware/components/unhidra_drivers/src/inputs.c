#include <string.h>

#include "unhidra/drivers.h"

enum { SAMPLES = 5, BEYOND = 50 };

static uh_status chip(void *ctx, int64_t *v) {
    const uh_bus *bus = ctx;
    int32_t t;
    if (bus->chip_temperature == NULL)
        return UH_MISSING;
    UH_TRY(bus->chip_temperature(bus->ctx, &t));
    *v = t / 100;
    return UH_OK;
}

uh_sensor uh_chip_temperature(const uh_bus *bus, uint8_t id, const char *name) {
    return (uh_sensor){.id = id, .kind = UH_NUMBER, .decimals = 1, .name = name, .unit = "Cel", .bounded = true,
                       .min = -400, .max = 1250, .period_ms = 10000, .deadband = 10, .silence_ms = 600000, .read = chip,
                       .ctx = (void *)(uintptr_t)bus};
}

/* median takes samples, and returns the one in the middle: a single spike changes nothing. */
static uh_status median(const uh_analog *a, int32_t *mv) {
    int32_t sorted[SAMPLES] = {0}, one;
    for (size_t n = 0; n < SAMPLES; n++) {
        size_t at = n;
        UH_TRY(a->bus->millivolts(a->bus->ctx, a->channel, &one));
        for (; at > 0 && sorted[at - 1] > one; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = one;
    }
    *mv = sorted[SAMPLES / 2];
    return UH_OK;
}

static uh_status analog(void *ctx, int64_t *v) {
    const uh_analog *a = ctx;
    int32_t mv;
    if (a->bus->millivolts == NULL)
        return UH_MISSING;
    UH_TRY(median(a, &mv));
    int64_t span = (int64_t)a->mv[1] - a->mv[0], way = (int64_t)mv - a->mv[0], range = a->value[1] - a->value[0];
    if (span < 0) {
        span = -span;
        way = -way;
    }
    if (span == 0 || way * BEYOND < -span || (way - span) * BEYOND > span)
        return UH_INVALID;
    way = way < 0 ? 0 : way > span ? span : way;
    int64_t twice = range * way * 2 / span; /* rounded to the nearest */
    *v = a->value[0] + (twice + (twice < 0 ? -1 : 1)) / 2;
    return UH_OK;
}

uh_sensor uh_analog_sensor(uh_analog *a, uint8_t id, const char *name, const char *unit, uint8_t decimals) {
    bool up = a->value[1] > a->value[0];
    int64_t min = up ? a->value[0] : a->value[1], max = up ? a->value[1] : a->value[0];
    return (uh_sensor){.id = id, .kind = UH_NUMBER, .decimals = decimals, .name = name, .unit = unit, .bounded = true,
                       .min = min, .max = max, .period_ms = 10000, .deadband = (max - min) / 200,
                       .silence_ms = 600000, .read = analog, .ctx = a};
}

static uh_status pulses(void *ctx, int64_t *v) {
    uh_pulses *p = ctx;
    uint32_t now, mask = p->bits < 32 ? (1u << p->bits) - 1 : UINT32_MAX;
    if (p->bus->count == NULL)
        return UH_MISSING;
    UH_TRY(p->bus->count(p->bus->ctx, p->unit, &now));
    if (p->has)
        p->total += (now - p->last) & mask;
    p->last = now;
    p->has = true;
    *v = p->total;
    return UH_OK;
}

uh_sensor uh_pulses_sensor(uh_pulses *p, uint8_t id, const char *name, const char *unit, uint8_t decimals) {
    return (uh_sensor){.id = id, .kind = UH_NUMBER, .decimals = decimals, .name = name, .unit = unit,
                       .period_ms = 10000, .deadband = 1, .silence_ms = 3600000, .read = pulses, .ctx = p};
}
