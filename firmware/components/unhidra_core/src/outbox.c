#include "unhidra/outbox.h"

#include <string.h>

#include "pack.h"
#include "unhidra/backoff.h"

enum { ANCHOR_EVERY_MS = 3600000 };

uh_status uh_outbox_next_boot(const uh_store *store, const uh_random *random, uint64_t *boot) {
    static const char name[] = "boot";
    uint8_t b[4];
    size_t n;
    uh_status got = store->load(store->ctx, name, b, sizeof b, &n);
    if (got != UH_OK && got != UH_MISSING)
        return got;
    uint32_t count = got == UH_OK && n == sizeof b ? uh_get32(b) + 1 : 1;
    uh_put32(b, count);
    *boot = (uint64_t)count << 20 | uh_random_below(random, 1u << 20);
    return store->save(store->ctx, name, b, sizeof b);
}

uh_status uh_outbox_open(uh_outbox *o, uh_ring *ring, const uh_sensors *sensors, uint64_t boot) {
    memset(o, 0, sizeof *o);
    o->ring = ring;
    o->sensors = sensors;
    o->boot = boot;
    if (boot == 0 || boot >> 53 != 0)
        return UH_INVALID;
    o->waiting = uh_ring_empty(ring) ? 0 : 1; /* of earlier boots */
    return uh_ring_tag(ring, boot);
}

uh_status uh_outbox_add(uh_outbox *o, uint64_t uptime_ms, const uh_reading *readings, size_t n) {
    uint8_t b[UH_RING_MAX];
    uh_sink s = {b, sizeof b, 4};
    uh_put32(b, o->seq);
    uh_sink_varint(&s, uptime_ms);
    for (size_t i = 0; i < n; i++) {
        uh_sink_byte(&s, readings[i].id);
        uh_sink_byte(&s, (uint8_t)((unsigned)readings[i].kind << 4 | readings[i].decimals));
        uh_sink_zigzag(&s, readings[i].value);
    }
    if (s.len > sizeof b)
        return UH_SPACE;
    uh_status written = uh_ring_append(o->ring, UH_RECORD_REPORT, b, s.len);
    if (written != UH_FULL)
        o->seq++; /* also if it failed: the record may be there after all, and a number is used once */
    UH_TRY(written);
    if (o->waiting++ == 0)
        o->first_wait = uptime_ms;
    return UH_OK;
}

uh_status uh_outbox_anchor(uh_outbox *o, uint64_t uptime_ms, uint64_t unix_ms) {
    uint8_t b[16];
    if (unix_ms == 0 || (o->anchored != 0 && uptime_ms - o->anchored < ANCHOR_EVERY_MS))
        return UH_OK;
    uh_put64(b, uptime_ms);
    uh_put64(b + 8, unix_ms);
    UH_TRY(uh_ring_append(o->ring, UH_RECORD_ANCHOR, b, sizeof b));
    o->anchored = uptime_ms > 0 ? uptime_ms : 1;
    return UH_OK;
}

/* gather puts the oldest reports of one boot, with numbers that follow each other, into scratch. */
static uh_status gather(uh_outbox *o, uint64_t now, uh_pack *p, size_t cap, uh_batch *batch) {
    uint8_t b[UH_RING_MAX], kind;
    size_t n, used = 0;
    uh_ring_place place = o->ring->tail;
    *batch = (uh_batch){.begin = place, .end = place};
    while (batch->count < UH_BATCH_REPORTS) {
        uh_status s = uh_ring_next(o->ring, &place, &kind, b, &n);
        if (s == UH_END)
            break;
        UH_TRY(s);
        uint64_t time;
        uh_record record = {b, n, 0};
        if (kind != UH_RECORD_REPORT || uh_record_time(&record, &time) != UH_OK) {
            batch->end = place; /* an anchor, or of a version that is not known: it is passed over */
            continue;
        }
        uint32_t seq = uh_get32(b);
        bool old = place.tag != o->boot || now - time > UH_OLD_MS;
        if (batch->count == 0) {
            batch->boot = place.tag;
            batch->first = seq;
            batch->old = old;
        } else if (place.tag != batch->boot || seq != batch->first + batch->count || old != batch->old) {
            break;
        }
        if (used + 2 + n > cap)
            break;
        uh_put16(p->records + used, (uint16_t)n);
        memcpy(p->records + used + 2, b, n);
        used += 2 + n;
        batch->count++;
        batch->end = place;
    }
    return UH_OK;
}

/* anchors finds when the clock was right in the boot that a batch is of: the first ones, and the last. */
static uh_status anchors(uh_outbox *o, const uh_batch *batch, uh_pack *p) {
    uint8_t b[UH_RING_MAX], kind;
    size_t n;
    uh_ring_place place = batch->begin;
    uh_status s;
    while ((s = uh_ring_next(o->ring, &place, &kind, b, &n)) == UH_OK) {
        if (place.tag != batch->boot && place.sector >= batch->end.sector)
            break;
        if (kind != UH_RECORD_ANCHOR || n != 16 || place.tag != batch->boot)
            continue;
        if (p->anchor_count == UH_ANCHORS)
            p->anchor_count--;
        p->anchors[p->anchor_count][0] = uh_get64(b);
        p->anchors[p->anchor_count++][1] = uh_get64(b + 8);
    }
    return s == UH_END ? UH_OK : s;
}

/* shorten moves the end of a batch to before its last reports. */
static uh_status shorten(uh_outbox *o, uh_batch *batch, uint32_t count) {
    uint8_t b[UH_RING_MAX], kind;
    size_t n;
    batch->count = count;
    batch->end = batch->begin;
    while (count > 0) {
        UH_TRY(uh_ring_next(o->ring, &batch->end, &kind, b, &n));
        if (kind == UH_RECORD_REPORT && batch->end.tag == batch->boot && uh_get32(b) >= batch->first)
            count--;
    }
    return UH_OK;
}

uh_status uh_outbox_batch(uh_outbox *o, uint64_t now, uint8_t *scratch, size_t scratch_cap, uint8_t *out, size_t cap,
                          size_t *len, uh_batch *batch) {
    uh_pack p = {.records = scratch, .sensors = o->sensors};
    UH_TRY(gather(o, now, &p, scratch_cap, batch));
    if (batch->count == 0) {
        UH_TRY(uh_ring_release(o->ring, batch->end));
        o->waiting = 0;
        return UH_END;
    }
    p.boot = batch->boot;
    p.first = batch->first;
    p.old = batch->old;
    p.now = now;
    p.current = batch->boot == o->boot;
    if (!p.current)
        UH_TRY(anchors(o, batch, &p));
    for (uint32_t count = batch->count;; count /= 2) {
        if (count == 0)
            return UH_SPACE;
        uh_sink s = {out, cap, 0};
        p.count = count;
        UH_TRY(uh_pack_write(&p, &s));
        if (s.len > cap)
            continue;
        *len = s.len;
        return count == batch->count ? UH_OK : shorten(o, batch, count);
    }
}

uh_status uh_outbox_acked(uh_outbox *o, const uh_batch *batch, uint64_t missing) {
    uh_batch done = *batch;
    if (missing >= batch->first && missing - batch->first < batch->count)
        UH_TRY(shorten(o, &done, (uint32_t)(missing - batch->first)));
    uh_status s = uh_ring_release(o->ring, done.end);
    /* What cannot be written is in memory: after a restart these reports come twice, and are counted once. */
    return s == UH_FULL ? UH_OK : s;
}
