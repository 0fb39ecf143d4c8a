/* A log in flash for what has not been sent yet. Records are appended; each has a CRC, and sectors are written one
 * after the other, round and round, so that all wear alike. After a power cut at any byte, all records that were
 * appended are there, and one that was being written is there as a whole or not at all. */
#ifndef UNHIDRA_RING_H
#define UNHIDRA_RING_H

#include "unhidra/bytes.h"
#include "unhidra/port.h"

#define UH_RING_MAX 256 /* bytes of a record */

/* What happens when the flash is full of records that are not released. */
typedef enum {
    UH_KEEP_NEWEST, /* the oldest sector is given up */
    UH_KEEP_OLDEST  /* uh_ring_append returns UH_FULL */
} uh_ring_policy;

/* A place between two records. */
typedef struct {
    uint32_t sector; /* numbered from 1 since the log began */
    uint32_t at;
    uint64_t tag; /* of the records that follow */
} uh_ring_place;

typedef struct {
    const uh_flash *flash;
    uh_ring_policy policy;
    uint32_t oldest, newest; /* sectors */
    uint32_t at;             /* in the newest one, where the next record goes */
    uint64_t tag;            /* of the next record */
    uh_ring_place tail;      /* what is before it is released */
    uint32_t lost;           /* records that were given up unreleased since uh_ring_open */
    uint32_t broken;         /* times that uh_ring_next came upon what cannot be read */
} uh_ring;

/* uh_ring_open finds what is in the flash, or begins a log there. It needs three sectors. */
uh_status uh_ring_open(uh_ring *r, const uh_flash *flash, uh_ring_policy policy);
/* uh_ring_tag gives the records that follow a tag, which is kept with them: for example the boot they are of. */
uh_status uh_ring_tag(uh_ring *r, uint64_t tag);
/* uh_ring_append returns once the record is in flash. kind is the caller's, below 0x80. */
uh_status uh_ring_append(uh_ring *r, uint8_t kind, const void *b, size_t n);
/* uh_ring_next returns the record at a place, whose tag is then place->tag, and moves the place behind it. UH_END:
 * there is none. A place that was given up in the meantime moves to the oldest record that there is. */
uh_status uh_ring_next(uh_ring *r, uh_ring_place *place, uint8_t *kind, uint8_t b[UH_RING_MAX], size_t *n);
/* uh_ring_release lets go of what is before a place. That it is remembered over a restart is not promised: then records
 * come again, and are released again. */
uh_status uh_ring_release(uh_ring *r, uh_ring_place place);
/* uh_ring_empty says whether no record of a caller is unreleased. */
bool uh_ring_empty(uh_ring *r);

#endif
