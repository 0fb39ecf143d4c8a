/* Reports that wait in flash until the server has them, and how they are sent: as packed batches (docs/packed.md). */
#ifndef UNHIDRA_OUTBOX_H
#define UNHIDRA_OUTBOX_H

#include "unhidra/ring.h"
#include "unhidra/sensors.h"

#define UH_BATCH_REPORTS 200
#define UH_ANCHORS 8
#define UH_OLD_MS 120000 /* a report that is older is history: it raises no alarm */

typedef struct {
    uh_ring *ring;
    const uh_sensors *sensors;
    uint64_t boot;
    uint32_t seq;        /* of the next report */
    uint32_t waiting;    /* reports since the last batch, about */
    uint64_t first_wait; /* when the first of them was added */
    uint64_t anchored;   /* when the last anchor was stored; 0: none was in this boot */
} uh_outbox;

/* A batch is what was built from the oldest reports. */
typedef struct {
    uint64_t boot;
    uint32_t first;
    uint32_t count; /* 0: nothing waits, though what was passed over can be released */
    bool old;
    uh_ring_place begin, end;
} uh_batch;

/* uh_outbox_next_boot returns a number for this boot, and stores that it is used: a counter and random bits, so that it
 * is another one even if what is stored is lost. */
uh_status uh_outbox_next_boot(const uh_store *store, const uh_random *random, uint64_t *boot);
/* uh_outbox_open begins a boot. boot must never have been used by this device, and be below 2^53. */
uh_status uh_outbox_open(uh_outbox *o, uh_ring *ring, const uh_sensors *sensors, uint64_t boot);
/* uh_outbox_add returns once the report is in flash. */
uh_status uh_outbox_add(uh_outbox *o, uint64_t uptime_ms, const uh_reading *readings, size_t n);
/* uh_outbox_anchor stores that both clocks showed these times, if the last anchor is an hour old: what was measured in
 * this boot then has its time even when it is sent in a later one. */
uh_status uh_outbox_anchor(uh_outbox *o, uint64_t uptime_ms, uint64_t unix_ms);
/* uh_outbox_batch builds a batch of the oldest reports that fits into cap bytes of out. scratch holds the reports until
 * then, some 20 bytes for each. UH_END: nothing waits. */
uh_status uh_outbox_batch(uh_outbox *o, uint64_t now, uint8_t *scratch, size_t scratch_cap, uint8_t *out, size_t cap,
                          size_t *len, uh_batch *batch);
/* uh_outbox_acked releases what the server has of a batch that it has answered: all that is before its first gap within
 * the batch; missing is that report, or UH_NOTHING_MISSING, which is the number of none. */
#define UH_NOTHING_MISSING UINT64_MAX
uh_status uh_outbox_acked(uh_outbox *o, const uh_batch *batch, uint64_t missing);

#endif
