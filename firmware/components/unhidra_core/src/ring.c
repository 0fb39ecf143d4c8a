#include "unhidra/ring.h"

#include <string.h>

/* A sector begins with: magic, number, tag, CRC of these. A record with: length, kind, 0, CRC of these and of what
 * follows. Erased flash is 0xFF: there the next record goes. */
enum { MAGIC = 0x31524855, SECTOR_HEAD = 20, RECORD_HEAD = 8, KIND_TAG = 0x80, KIND_TAIL = 0x81 };

static uint32_t sectors(const uh_ring *r) { return r->flash->size / r->flash->sector; }

static uint32_t address(const uh_ring *r, uint32_t number, uint32_t at) {
    return number % sectors(r) * r->flash->sector + at;
}

/* read_sector says whether the sector of this number is there. */
static bool read_sector(const uh_ring *r, uint32_t number, uint64_t *tag) {
    uint8_t b[SECTOR_HEAD];
    if (r->flash->read(r->flash->ctx, address(r, number, 0), b, sizeof b) != UH_OK)
        return false;
    *tag = uh_get64(b + 8);
    return uh_get32(b) == MAGIC && uh_get32(b + 4) == number && uh_get32(b + 16) == uh_crc32(0, b, 16);
}

/* begin_sector erases the sector after the newest one, and begins it. */
static uh_status begin_sector(uh_ring *r, uint32_t number) {
    uint8_t b[SECTOR_HEAD];
    uh_put32(b, MAGIC);
    uh_put32(b + 4, number);
    uh_put64(b + 8, r->tag);
    uh_put32(b + 16, uh_crc32(0, b, 16));
    UH_TRY(r->flash->erase(r->flash->ctx, address(r, number, 0)));
    UH_TRY(r->flash->write(r->flash->ctx, address(r, number, 0), b, sizeof b));
    r->newest = number;
    r->at = SECTOR_HEAD;
    return UH_OK;
}

/* read_record reads the record at a place of a sector. UH_END: it is free from here on, or too small for another one.
 * UH_SYNTAX: what is there is no record. */
static uh_status read_record(const uh_ring *r, uint32_t number, uint32_t at, uint8_t *kind, uint8_t *b, size_t *n) {
    uint8_t head[RECORD_HEAD];
    static const uint8_t erased[RECORD_HEAD] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
    if (at + RECORD_HEAD > r->flash->sector)
        return UH_END;
    UH_TRY(r->flash->read(r->flash->ctx, address(r, number, at), head, sizeof head));
    if (memcmp(head, erased, sizeof head) == 0)
        return UH_END;
    *n = uh_get16(head);
    *kind = head[2];
    if (*n > UH_RING_MAX || at + RECORD_HEAD + *n > r->flash->sector)
        return UH_SYNTAX;
    UH_TRY(r->flash->read(r->flash->ctx, address(r, number, at + RECORD_HEAD), b, *n));
    return uh_get32(head + 4) == uh_crc32(uh_crc32(0, head, 4), b, *n) ? UH_OK : UH_SYNTAX;
}

/* is_free says whether a sector is erased from at on. */
static bool is_free(const uh_ring *r, uint32_t number, uint32_t at) {
    uint8_t b[64];
    while (at < r->flash->sector) {
        size_t n = r->flash->sector - at < sizeof b ? r->flash->sector - at : sizeof b;
        if (r->flash->read(r->flash->ctx, address(r, number, at), b, n) != UH_OK)
            return false;
        for (size_t i = 0; i < n; i++)
            if (b[i] != 0xFF)
                return false;
        at += (uint32_t)n;
    }
    return true;
}

/* A scan goes through the records of a sector. */
typedef struct {
    uint64_t tag;
    uint32_t at;   /* behind the last record */
    bool has_tail; /* a marker was there, the last of which is tail */
    uh_ring_place tail;
} scan;

static uh_status scan_sector(const uh_ring *r, uint32_t number, scan *s) {
    uint8_t b[UH_RING_MAX], kind;
    size_t n;
    uh_status got;
    s->at = SECTOR_HEAD;
    s->has_tail = false;
    if (!read_sector(r, number, &s->tag))
        return UH_SYNTAX;
    while ((got = read_record(r, number, s->at, &kind, b, &n)) == UH_OK) {
        s->at += RECORD_HEAD + (uint32_t)n;
        if (kind == KIND_TAG && n == 8)
            s->tag = uh_get64(b);
        if (kind == KIND_TAIL && n == 16) {
            s->has_tail = true;
            s->tail = (uh_ring_place){uh_get32(b), uh_get32(b + 4), uh_get64(b + 8)};
        }
    }
    return got;
}

/* newest finds the newest sector: numbers grow, and sector k is where k modulo their count is. */
static uint32_t find_newest(const uh_ring *r) {
    uint32_t newest = 0;
    for (uint32_t i = 0; i < sectors(r); i++) {
        uint8_t b[8];
        uint64_t tag;
        if (r->flash->read(r->flash->ctx, i * r->flash->sector, b, sizeof b) != UH_OK || uh_get32(b) != MAGIC)
            continue;
        uint32_t number = uh_get32(b + 4);
        if (number % sectors(r) == i && number > newest && number < UINT32_MAX && read_sector(r, number, &tag))
            newest = number;
    }
    return newest;
}

static uh_ring_place start_of(const uh_ring *r, uint32_t number) {
    uh_ring_place p = {number, SECTOR_HEAD, 0};
    (void)read_sector(r, number, &p.tag);
    return p;
}

uh_status uh_ring_open(uh_ring *r, const uh_flash *flash, uh_ring_policy policy) {
    memset(r, 0, sizeof *r);
    r->flash = flash;
    r->policy = policy;
    if (flash->sector < SECTOR_HEAD + 2 * (RECORD_HEAD + UH_RING_MAX) || flash->size % flash->sector != 0 ||
        sectors(r) < 3)
        return UH_INVALID;
    r->newest = find_newest(r);
    if (r->newest == 0) {
        UH_TRY(begin_sector(r, 1));
        r->oldest = 1;
        r->tail = start_of(r, 1);
        return UH_OK;
    }
    uint64_t tag;
    r->oldest = r->newest;
    while (r->oldest > 1 && r->newest - r->oldest + 1 < sectors(r) && read_sector(r, r->oldest - 1, &tag))
        r->oldest--;
    r->tail = start_of(r, r->oldest);
    scan s;
    for (uint32_t number = r->newest; number >= r->oldest; number--) {
        uh_status got = scan_sector(r, number, &s);
        if (number == r->newest) {
            r->tag = s.tag;
            r->at = got == UH_END && is_free(r, number, s.at) ? s.at : flash->sector; /* else a write was cut off */
        }
        if (s.has_tail) {
            if (s.tail.sector >= r->oldest && s.tail.sector <= r->newest && s.tail.at >= SECTOR_HEAD &&
                s.tail.at <= flash->sector)
                r->tail = s.tail;
            break;
        }
    }
    return UH_OK;
}

/* give_up lets go of the oldest sector. */
static uh_status give_up(uh_ring *r) {
    if (r->tail.sector == r->oldest) {
        if (r->policy == UH_KEEP_OLDEST)
            return UH_FULL;
        uint8_t b[UH_RING_MAX], kind;
        size_t n;
        for (uint32_t at = r->tail.at; read_record(r, r->oldest, at, &kind, b, &n) == UH_OK;) {
            r->lost += kind < KIND_TAG;
            at += RECORD_HEAD + (uint32_t)n;
        }
        r->tail = start_of(r, r->oldest + 1);
    }
    r->oldest++;
    return UH_OK;
}

static uh_status put(uh_ring *r, uint8_t kind, const void *b, size_t n) {
    uint8_t record[RECORD_HEAD + UH_RING_MAX];
    uh_put16(record, (uint16_t)n);
    record[2] = kind;
    record[3] = 0;
    memcpy(record + RECORD_HEAD, b, n);
    uh_put32(record + 4, uh_crc32(uh_crc32(0, record, 4), b, n));
    n += RECORD_HEAD;
    if (r->at + n > r->flash->sector) {
        if (r->newest + 1 - r->oldest == sectors(r))
            UH_TRY(give_up(r));
        UH_TRY(begin_sector(r, r->newest + 1));
    }
    uh_status s = r->flash->write(r->flash->ctx, address(r, r->newest, r->at), record, n);
    r->at = s == UH_OK ? r->at + (uint32_t)n : r->flash->sector; /* what is written in part is not written on */
    return s;
}

uh_status uh_ring_append(uh_ring *r, uint8_t kind, const void *b, size_t n) {
    return kind >= KIND_TAG || n > UH_RING_MAX ? UH_INVALID : put(r, kind, b, n);
}

uh_status uh_ring_tag(uh_ring *r, uint64_t tag) {
    uint8_t b[8];
    uh_put64(b, tag);
    UH_TRY(put(r, KIND_TAG, b, sizeof b));
    r->tag = tag;
    return UH_OK;
}

uh_status uh_ring_next(uh_ring *r, uh_ring_place *place, uint8_t *kind, uint8_t b[UH_RING_MAX], size_t *n) {
    if (place->sector < r->oldest)
        *place = start_of(r, r->oldest);
    for (;;) {
        uh_status s = place->sector == r->newest && place->at >= r->at
                          ? UH_END
                          : read_record(r, place->sector, place->at, kind, b, n);
        if (s == UH_IO)
            return s;
        if (s == UH_OK) {
            place->at += RECORD_HEAD + (uint32_t)*n;
            if (*kind == KIND_TAG && *n == 8)
                place->tag = uh_get64(b);
            if (*kind < KIND_TAG)
                return UH_OK;
            continue;
        }
        r->broken += s == UH_SYNTAX;
        if (place->sector >= r->newest)
            return UH_END;
        *place = start_of(r, place->sector + 1);
    }
}

uh_status uh_ring_release(uh_ring *r, uh_ring_place place) {
    uint8_t b[16];
    if (place.sector < r->tail.sector || (place.sector == r->tail.sector && place.at <= r->tail.at))
        return UH_OK; /* it was given up in the meantime, or there is nothing new */
    r->tail = place;
    uh_put32(b, place.sector);
    uh_put32(b + 4, place.at);
    uh_put64(b + 8, place.tag);
    return put(r, KIND_TAIL, b, sizeof b);
}

bool uh_ring_empty(uh_ring *r) {
    uint8_t b[UH_RING_MAX], kind;
    size_t n;
    uh_ring_place p = r->tail;
    return uh_ring_next(r, &p, &kind, b, &n) == UH_END;
}
