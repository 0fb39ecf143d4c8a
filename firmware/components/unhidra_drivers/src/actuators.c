#include <string.h>

#include "unhidra/drivers.h"

enum { FULL = 1000 };

static uh_status say(char answer[UH_COMMAND_ANSWER], const char *why, uh_status s) {
    memcpy(answer, why, strlen(why) + 1);
    return s;
}

uh_status uh_switch_set(uh_switch *s, bool on) {
    if (s->bus->set_pin == NULL)
        return UH_MISSING;
    UH_TRY(s->bus->set_pin(s->bus->ctx, s->pin, on != s->inverted));
    s->on = on;
    return UH_OK;
}

static uh_status switch_it(void *ctx, uh_slice args, char answer[UH_COMMAND_ANSWER]) {
    uh_slice v;
    bool on;
    if (uh_json_get(args, "on", &v) != UH_OK || uh_json_read_bool(v, &on) != UH_OK)
        return say(answer, "on is true or false", UH_INVALID);
    uh_status got = uh_switch_set(ctx, on);
    return got == UH_OK ? got : say(answer, "the pin cannot be switched", got);
}

uh_action uh_switch_action(uh_switch *s, const char *name) {
    return (uh_action){.name = name, .run = switch_it, .ctx = s,
                       .args = "[{\"name\":\"on\",\"kind\":\"bool\",\"required\":true}]"};
}

static uh_status is_on(void *ctx, int64_t *v) {
    *v = ((const uh_switch *)ctx)->on;
    return UH_OK;
}

uh_sensor uh_switch_state(uh_switch *s, uint8_t id, const char *name) {
    return (uh_sensor){.id = id, .kind = UH_BOOL, .name = name, .period_ms = 100, .deadband = 1, .silence_ms = 3600000,
                       .read = is_on, .ctx = s};
}

uh_status uh_dimmer_set(uh_dimmer *d, uint16_t thousandths) {
    if (d->bus->set_duty == NULL)
        return UH_MISSING;
    if (thousandths > FULL)
        return UH_INVALID;
    UH_TRY(d->bus->set_duty(d->bus->ctx, d->channel, thousandths));
    d->thousandths = thousandths;
    return UH_OK;
}

static uh_status dim(void *ctx, uh_slice args, char answer[UH_COMMAND_ANSWER]) {
    uh_slice v;
    int64_t thousandths;
    if (uh_json_get(args, "percent", &v) != UH_OK || uh_json_read_scaled(v, 1, &thousandths) != UH_OK ||
        thousandths < 0 || thousandths > FULL)
        return say(answer, "percent is a number of 0 to 100", UH_INVALID);
    uh_status got = uh_dimmer_set(ctx, (uint16_t)thousandths);
    return got == UH_OK ? got : say(answer, "the signal cannot be set", got);
}

uh_action uh_dimmer_action(uh_dimmer *d, const char *name) {
    return (uh_action){.name = name, .run = dim, .ctx = d,
                       .args = "[{\"name\":\"percent\",\"kind\":\"number\",\"min\":0,\"max\":100,\"required\":true}]"};
}

static uh_status level(void *ctx, int64_t *v) {
    *v = ((const uh_dimmer *)ctx)->thousandths;
    return UH_OK;
}

uh_sensor uh_dimmer_level(uh_dimmer *d, uint8_t id, const char *name) {
    return (uh_sensor){.id = id, .kind = UH_NUMBER, .decimals = 1, .name = name, .unit = "%", .bounded = true, .min = 0,
                       .max = FULL, .period_ms = 100, .deadband = 1, .silence_ms = 3600000, .read = level, .ctx = d};
}
