/* A half begins with its generation and the CRC of it, which are written when all else is there. Records follow, each
 * VALUE or GONE, how long name and value are, a CRC of all that, the name and the value. The last record of a name is
 * what it is. Behind a record that is broken, by a power cut, nothing is written any more until the next copying. */
#include <string.h>

#include "unhidra_flash.h"

enum { HEAD = 8, RECORD = 8, NAME_MOST = 15, VALUE = 0x5A, GONE = 0x5B };

typedef struct {
    uint32_t at;
    uint8_t kind, name_n;
    uint16_t n;
    uint32_t crc;
} record;

static uint32_t size_of(const uh_flash_store *s) { return s->flash->size / 2; }

static uh_status get(const uh_flash_store *s, uint32_t half, uint32_t at, void *b, size_t n) {
    return s->flash->read(s->flash->ctx, half * size_of(s) + at, b, n);
}

static uh_status put(const uh_flash_store *s, uint32_t half, uint32_t at, const void *b, size_t n) {
    return n == 0 ? UH_OK : s->flash->write(s->flash->ctx, half * size_of(s) + at, b, n);
}

static uint32_t crc_of(uint32_t generation) {
    uint8_t b[4];
    uh_put32(b, generation);
    return uh_crc32(0x5A, b, sizeof b);
}

/* generation_of returns which one a half is of; 0: it is of none. */
static uh_status generation_of(const uh_flash_store *s, uint32_t half, uint32_t *generation) {
    uint8_t b[HEAD];
    UH_TRY(get(s, half, 0, b, sizeof b));
    *generation = uh_get32(b + 4) == crc_of(uh_get32(b)) ? uh_get32(b) : 0;
    return UH_OK;
}

static uint32_t end_of(const record *r) { return r->at + RECORD + r->name_n + r->n; }

/* next reads the head of the record at a place. UH_END: there is none. UH_SYNTAX: it is broken. */
static uh_status next(const uh_flash_store *s, uint32_t at, record *r) {
    uint8_t b[RECORD], part[64];
    if (at + RECORD > size_of(s))
        return UH_END;
    UH_TRY(get(s, s->half, at, b, sizeof b));
    static const uint8_t erased[RECORD] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
    if (memcmp(b, erased, sizeof b) == 0)
        return UH_END;
    *r = (record){at, b[0], b[1], uh_get16(b + 2), uh_get32(b + 4)};
    if ((r->kind != VALUE && r->kind != GONE) || r->name_n > NAME_MOST || end_of(r) > size_of(s))
        return UH_SYNTAX;
    uint32_t crc = uh_crc32(0, b, 4);
    for (uint32_t from = at + RECORD, n; from < end_of(r); from += n) {
        n = end_of(r) - from < sizeof part ? end_of(r) - from : sizeof part;
        UH_TRY(get(s, s->half, from, part, n));
        crc = uh_crc32(crc, part, n);
    }
    return crc == r->crc ? UH_OK : UH_SYNTAX;
}

/* newest finds the last record of a name. UH_MISSING: there is none, or it says that the value is gone. */
static uh_status newest(const uh_flash_store *s, const char *name, record *found) {
    char is[NAME_MOST];
    record r;
    size_t n = strlen(name);
    found->at = 0;
    for (uint32_t at = HEAD; next(s, at, &r) == UH_OK; at = end_of(&r)) {
        UH_TRY(get(s, s->half, at + RECORD, is, r.name_n));
        if (r.name_n == n && memcmp(is, name, n) == 0)
            *found = r;
    }
    return found->at != 0 && found->kind == VALUE ? UH_OK : UH_MISSING;
}

/* append writes a record. What is torn by a power cut is broken, as its CRC is before it. */
static uh_status append(const uh_flash_store *s, uint32_t half, uint32_t *end, uint8_t kind, const char *name,
                        const void *b, size_t n) {
    uint8_t head[RECORD] = {kind, (uint8_t)strlen(name)};
    uint32_t at = *end;
    uh_put16(head + 2, (uint16_t)n);
    uh_put32(head + 4, uh_crc32(uh_crc32(uh_crc32(0, head, 4), name, head[1]), b, n));
    *end = size_of(s); /* if it fails, nothing follows */
    UH_TRY(put(s, half, at, head, sizeof head));
    UH_TRY(put(s, half, at + RECORD, name, head[1]));
    UH_TRY(put(s, half, at + RECORD + head[1], b, n));
    *end = at + RECORD + head[1] + (uint32_t)n;
    return UH_OK;
}

/* copy copies a record as it is. */
static uh_status copy(const uh_flash_store *s, uint32_t half, uint32_t *end, const record *r) {
    uint8_t part[64];
    for (uint32_t from = r->at, n; from < end_of(r); from += n, *end += n) {
        n = end_of(r) - from < sizeof part ? end_of(r) - from : sizeof part;
        UH_TRY(get(s, s->half, from, part, n));
        UH_TRY(put(s, half, *end, part, n));
    }
    return UH_OK;
}

static uh_status begin(const uh_flash_store *s, uint32_t half) {
    for (uint32_t at = 0; at < size_of(s); at += s->flash->sector)
        UH_TRY(s->flash->erase(s->flash->ctx, half * size_of(s) + at));
    return UH_OK;
}

static uh_status finish(uh_flash_store *s, uint32_t half, uint32_t end) {
    uint8_t b[HEAD];
    uh_put32(b, s->generation + 1);
    uh_put32(b + 4, crc_of(s->generation + 1));
    UH_TRY(put(s, half, 0, b, sizeof b));
    s->half = half;
    s->generation++;
    s->end = end;
    return UH_OK;
}

/* replace writes the other half: all that is good, but of a name what is given. */
static uh_status replace(uh_flash_store *s, uint8_t kind, const char *name, const void *b, size_t n) {
    char is[NAME_MOST + 1];
    record r, last;
    uint32_t half = 1 - s->half, end = HEAD;
    UH_TRY(begin(s, half));
    for (uint32_t at = HEAD; next(s, at, &r) == UH_OK; at = end_of(&r)) {
        UH_TRY(get(s, s->half, at + RECORD, is, r.name_n));
        is[r.name_n] = '\0';
        if (strcmp(is, name) == 0 || newest(s, is, &last) != UH_OK || last.at != at)
            continue;
        UH_TRY(copy(s, half, &end, &r));
    }
    if (kind == VALUE) {
        if (end + RECORD + strlen(name) + n > size_of(s))
            return UH_FULL; /* the half in use is as it was */
        UH_TRY(append(s, half, &end, kind, name, b, n));
    }
    return finish(s, half, end);
}

static uh_status set(uh_flash_store *s, uint8_t kind, const char *name, const void *b, size_t n) {
    if (strlen(name) > NAME_MOST || n > UINT16_MAX)
        return UH_INVALID;
    if (s->end + RECORD + strlen(name) + n > size_of(s))
        return replace(s, kind, name, b, n);
    return append(s, s->half, &s->end, kind, name, b, n);
}

static uh_status load(void *ctx, const char *name, void *b, size_t cap, size_t *n) {
    const uh_flash_store *s = ctx;
    record r;
    UH_TRY(newest(s, name, &r));
    if (r.n > cap)
        return UH_SPACE;
    *n = r.n;
    return r.n == 0 ? UH_OK : get(s, s->half, r.at + RECORD + r.name_n, b, r.n);
}

static uh_status save(void *ctx, const char *name, const void *b, size_t n) { return set(ctx, VALUE, name, b, n); }

static uh_status erase(void *ctx, const char *name) {
    record r;
    uh_status found = newest(ctx, name, &r);
    return found == UH_OK ? set(ctx, GONE, name, NULL, 0) : found == UH_MISSING ? UH_OK : found;
}

uh_status uh_flash_store_open(uh_flash_store *s, const uh_flash *flash) {
    uint32_t first, second;
    record r;
    uh_status got;
    if (flash->size < 2 * flash->sector || flash->size % (2 * flash->sector) != 0)
        return UH_INVALID;
    *s = (uh_flash_store){.flash = flash};
    UH_TRY(generation_of(s, 0, &first));
    UH_TRY(generation_of(s, 1, &second));
    if (first == 0 && second == 0) {
        UH_TRY(begin(s, 0));
        return finish(s, 0, HEAD);
    }
    s->half = second > first;
    s->generation = s->half == 1 ? second : first;
    s->end = HEAD;
    while ((got = next(s, s->end, &r)) == UH_OK)
        s->end = end_of(&r);
    if (got == UH_SYNTAX)
        s->end = size_of(s);
    return got == UH_SYNTAX || got == UH_END ? UH_OK : got;
}

uh_store uh_flash_store_port(uh_flash_store *s) { return (uh_store){s, load, save, erase}; }
