#include "unhidra/sensors.h"

#include <string.h>

/* is_name follows docs/devices.md: 1 to 64 letters, digits or - : . / _, the first of them a letter or a digit. */
static bool is_name(const char *name) {
    size_t n = strlen(name);
    for (size_t i = 0; i < n; i++) {
        char c = name[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!word && (i == 0 || strchr("-:./_", c) == NULL))
            return false;
    }
    return n >= 1 && n <= 64;
}

uh_status uh_sensors_check(const uh_sensors *s) {
    if (s->count > UH_SENSORS_MAX)
        return UH_INVALID;
    for (size_t i = 0; i < s->count; i++) {
        const uh_sensor *a = &s->list[i];
        if (a->id == 0 || a->decimals > 9 || !is_name(a->name) || a->read == NULL || a->period_ms == 0 ||
            (a->kind != UH_NUMBER && a->kind != UH_BOOL) || (a->unit != NULL && strlen(a->unit) > 16) ||
            (a->bounded && a->min > a->max))
            return UH_INVALID;
        for (size_t k = 0; k < i; k++)
            if (s->list[k].id == a->id || strcmp(s->list[k].name, a->name) == 0)
                return UH_INVALID;
    }
    return UH_OK;
}

const uh_sensor *uh_sensors_find(const uh_sensors *s, uint8_t id) {
    for (size_t i = 0; i < s->count; i++)
        if (s->list[i].id == id)
            return &s->list[i];
    return NULL;
}

/* worth says whether a value is to be reported. */
static bool worth(const uh_sensor *a, const uh_sensor_state *st, uint64_t now, int64_t v) {
    if (!st->has || (a->deadband == 0 && a->silence_ms == 0))
        return true;
    if (a->silence_ms != 0 && now - st->reported_at >= a->silence_ms)
        return true;
    uint64_t apart = v > st->reported ? (uint64_t)v - (uint64_t)st->reported : (uint64_t)st->reported - (uint64_t)v;
    return apart != 0 && apart >= (uint64_t)a->deadband;
}

size_t uh_sensors_poll(uh_sensors *s, uint64_t now, uh_reading out[UH_SENSORS_MAX]) {
    size_t n = 0;
    for (size_t i = 0; i < s->count; i++) {
        const uh_sensor *a = &s->list[i];
        uh_sensor_state *st = &s->states[i];
        int64_t v;
        if (now < st->due)
            continue;
        /* What is late is not caught up on, and keeps its step. */
        st->due = st->due + a->period_ms > now ? st->due + a->period_ms : now + a->period_ms;
        if (a->read(a->ctx, &v) != UH_OK || (a->bounded && (v < a->min || v > a->max))) {
            st->failed++;
            continue;
        }
        if (!worth(a, st, now, v))
            continue;
        st->reported = v;
        st->reported_at = now;
        st->has = true;
        out[n++] = (uh_reading){a->id, a->kind, a->decimals, v};
    }
    return n;
}

uint64_t uh_sensors_next(const uh_sensors *s) {
    uint64_t next = UINT64_MAX;
    for (size_t i = 0; i < s->count; i++)
        if (s->states[i].due < next)
            next = s->states[i].due;
    return next;
}

void uh_sensors_describe(const uh_sensors *s, uh_json *w) {
    uh_json_open(w, "sensors", '[');
    for (size_t i = 0; i < s->count; i++) {
        const uh_sensor *a = &s->list[i];
        uh_json_open(w, NULL, '{');
        uh_json_text(w, "name", a->name);
        uh_json_text(w, "kind", a->kind == UH_BOOL ? "bool" : "number");
        if (a->unit != NULL)
            uh_json_text(w, "unit", a->unit);
        if (a->kind == UH_NUMBER) {
            uh_json_int(w, "precision", a->decimals);
            if (a->bounded) {
                uh_json_scaled(w, "min", a->min, a->decimals);
                uh_json_scaled(w, "max", a->max, a->decimals);
            }
        }
        uh_json_close(w, '}');
    }
    uh_json_close(w, ']');
}
