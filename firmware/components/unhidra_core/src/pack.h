/* A packed batch, as docs/packed.md describes it. */
#ifndef UNHIDRA_PACK_H
#define UNHIDRA_PACK_H

#include "unhidra/outbox.h"

/* The records of an outbox. A report is its number (32 bits), its time (a varint), and for each reading the id of the
 * sensor, a byte with kind and decimals, and the value as a zigzag varint. An anchor is two times of 64 bits. */
enum { UH_RECORD_REPORT = 1, UH_RECORD_ANCHOR = 2 };

typedef struct {
    const uint8_t *b;
    size_t n, at;
} uh_record;

/* uh_record_time reads the time of a report; then uh_record_reading reads one reading after the other. */
uh_status uh_record_time(uh_record *r, uint64_t *time);
uh_status uh_record_reading(uh_record *r, uh_reading *v);

typedef struct {
    uint8_t *records; /* count of them, each after two bytes with its length */
    uint32_t count;
    const uh_sensors *sensors;
    uint64_t boot;
    uint32_t first;
    bool old;
    bool current; /* the boot is this one, in which it is now */
    uint64_t now;
    uint64_t anchors[UH_ANCHORS][2];
    size_t anchor_count;
} uh_pack;

/* uh_pack_write writes a batch. If it does not fit, s->len says how large it is. */
uh_status uh_pack_write(const uh_pack *p, uh_sink *s);

#endif
