#include "pack.h"

#include <string.h>

uh_status uh_record_time(uh_record *r, uint64_t *time) {
    r->at = 4;
    return r->n < 4 ? UH_SYNTAX : uh_read_varint(r->b, r->n, &r->at, time);
}

uh_status uh_record_reading(uh_record *r, uh_reading *v) {
    if (r->at == r->n)
        return UH_END;
    if (r->n - r->at < 3)
        return UH_SYNTAX;
    v->id = r->b[r->at];
    v->kind = (uh_kind)(r->b[r->at + 1] >> 4);
    v->decimals = r->b[r->at + 1] & 15;
    r->at += 2;
    return uh_read_zigzag(r->b, r->n, &r->at, &v->value);
}

/* Whole numbers, as docs/packed.md has them. */
typedef struct {
    uh_sink *s;
    uint64_t last, zeros;
    bool after_zero;
} ints;

static void ints_put(ints *e, int64_t v) {
    uint64_t step = (uint64_t)v - e->last;
    e->last = (uint64_t)v;
    if (e->after_zero && step == 0) {
        e->zeros++;
        return;
    }
    if (e->after_zero)
        uh_sink_varint(e->s, e->zeros);
    uh_sink_zigzag(e->s, (int64_t)step);
    e->after_zero = step == 0;
    e->zeros = 0;
}

static void ints_end(ints *e) {
    if (e->after_zero)
        uh_sink_varint(e->s, e->zeros);
}

/* next returns the record at *at, and moves it. */
static uh_record next(const uh_pack *p, size_t *at) {
    uh_record r = {p->records + *at + 2, uh_get16(p->records + *at), 0};
    *at += 2 + r.n;
    return r;
}

static void times(const uh_pack *p, uh_sink *s) {
    ints e = {.s = s};
    uint64_t before = 0, time = 0;
    size_t at = 0;
    for (uint32_t i = 0; i < p->count; i++) {
        uh_record r = next(p, &at);
        (void)uh_record_time(&r, &time);
        ints_put(&e, (int64_t)(time - before));
        before = time;
    }
    ints_end(&e);
}

/* value finds what a sensor has in a record. */
static bool value(uh_record r, const uh_sensor *a, uh_reading *v) {
    uint64_t time;
    if (uh_record_time(&r, &time) != UH_OK)
        return false;
    while (uh_record_reading(&r, v) == UH_OK)
        if (v->id == a->id)
            return v->kind == a->kind && v->decimals <= 9;
    return false;
}

/* scaled is a value with more decimals. What overflows is at the bound. */
static int64_t scaled(uh_reading v, uint8_t decimals) {
    for (uint8_t d = v.decimals; d < decimals; d++) {
        if (v.value > INT64_MAX / 10 || v.value < INT64_MIN / 10)
            return v.value > 0 ? INT64_MAX : INT64_MIN;
        v.value *= 10;
    }
    return v.value;
}

/* A column is what a batch has of a sensor. */
typedef struct {
    const uh_sensor *sensor;
    uint32_t slot, count;
    uint8_t decimals;
} column;

static column look(const uh_pack *p, const uh_sensor *a) {
    column c = {.sensor = a};
    size_t at = 0;
    uh_reading v;
    for (uint32_t i = 0; i < p->count; i++)
        if (value(next(p, &at), a, &v)) {
            c.count++;
            if (v.decimals > c.decimals)
                c.decimals = v.decimals;
        }
    return c;
}

static void values(const uh_pack *p, const column *c, uh_sink *s) {
    ints e = {.s = s};
    uh_reading v;
    if (c->count < p->count) {
        uint8_t bits = 0;
        size_t at = 0;
        for (uint32_t i = 0; i < p->count; i++) {
            if (value(next(p, &at), c->sensor, &v))
                bits |= (uint8_t)(1u << (i & 7));
            if ((i & 7) == 7 || i + 1 == p->count) {
                uh_sink_byte(s, bits);
                bits = 0;
            }
        }
    }
    size_t at = 0;
    for (uint32_t i = 0; i < p->count; i++)
        if (value(next(p, &at), c->sensor, &v))
            ints_put(&e, c->sensor->kind == UH_BOOL ? v.value != 0 : scaled(v, c->decimals));
    ints_end(&e);
}

/* columns writes the content of key 5. */
static void columns(const uh_pack *p, uh_sink *s) {
    uint32_t slot = 0;
    times(p, s);
    for (size_t i = 0; i < p->sensors->count; i++) {
        column c = look(p, &p->sensors->list[i]);
        if (c.count == 0)
            continue;
        uh_sink size = {0};
        values(p, &c, &size);
        uh_sink_varint(s, slot++);
        uh_sink_byte(s, c.sensor->kind == UH_BOOL ? 2 : 1);
        uh_sink_byte(s, (uint8_t)((c.sensor->kind == UH_BOOL ? 0 : c.decimals) | (c.count < p->count ? 0x80 : 0)));
        uh_sink_varint(s, size.len);
        values(p, &c, s);
    }
}

/* The major types of CBOR (RFC 8949). */
enum { UINT = 0x00, BYTES = 0x40, TEXT = 0x60, ARRAY = 0x80, MAP = 0xA0, TRUE = 0xF5 };

static void cbor(uh_sink *s, uint8_t major, uint64_t v) {
    unsigned bytes = v < 24 ? 0 : v <= 0xFF ? 1 : v <= 0xFFFF ? 2 : v <= 0xFFFFFFFF ? 4 : 8;
    static const uint8_t marks[] = {0, 24, 25, 0, 26, 0, 0, 0, 27};
    uh_sink_byte(s, (uint8_t)(major | (bytes == 0 ? (uint8_t)v : marks[bytes])));
    while (bytes-- > 0)
        uh_sink_byte(s, (uint8_t)(v >> (8 * bytes) & 0xFF));
}

static void text(uh_sink *s, const char *t) {
    cbor(s, TEXT, strlen(t));
    uh_sink_bytes(s, t, strlen(t));
}

/* names writes the names (key 4) or units (key 7) of the sensors that have values. */
static void names(const uh_pack *p, uh_sink *s, bool units, uint32_t count) {
    cbor(s, ARRAY, count);
    for (size_t i = 0; i < p->sensors->count && count > 0; i++) {
        const uh_sensor *a = &p->sensors->list[i];
        if (look(p, a).count == 0)
            continue;
        text(s, !units ? a->name : a->unit != NULL ? a->unit : "");
        count--;
    }
}

uh_status uh_pack_write(const uh_pack *p, uh_sink *s) {
    uint32_t named = 0, with_units = 0;
    for (size_t i = 0; i < p->sensors->count; i++)
        if (look(p, &p->sensors->list[i]).count > 0) {
            named++;
            if (p->sensors->list[i].unit != NULL)
                with_units = named;
        }
    bool anchors = !p->current && p->anchor_count > 0;
    uh_sink size = {0};
    columns(p, &size);
    cbor(s, MAP, 6u + (with_units > 0) + p->old + p->current + anchors);
    uh_sink_byte(s, 1);
    cbor(s, UINT, p->boot);
    uh_sink_byte(s, 2);
    cbor(s, UINT, p->first);
    uh_sink_byte(s, 3);
    cbor(s, UINT, p->count);
    uh_sink_byte(s, 4);
    names(p, s, false, named);
    uh_sink_byte(s, 5);
    cbor(s, BYTES, size.len);
    columns(p, s);
    if (with_units > 0) {
        uh_sink_byte(s, 7);
        names(p, s, true, with_units);
    }
    if (p->old) {
        uh_sink_byte(s, 8);
        uh_sink_byte(s, TRUE);
    }
    uh_sink_byte(s, 9);
    uh_sink_byte(s, TRUE);
    if (p->current) {
        uh_sink_byte(s, 10);
        cbor(s, UINT, p->now);
    }
    if (anchors) {
        uh_sink_byte(s, 11);
        cbor(s, ARRAY, p->anchor_count);
        for (size_t i = 0; i < p->anchor_count; i++) {
            cbor(s, ARRAY, 2);
            cbor(s, UINT, p->anchors[i][0]);
            cbor(s, UINT, p->anchors[i][1]);
        }
    }
    return UH_OK;
}
