#include <string.h>

#include "unhidra_flash.h"

enum { SECTOR = UH_SECTOR, ENTRY = 32, NONE = 2 };

typedef struct {
    uint32_t seq, state; /* seq 0xFFFFFFFF: there is no entry */
} entry;

static uint32_t crc_of(uint32_t seq) {
    uint8_t b[4];
    uh_put32(b, seq);
    return uh_crc32(0xFFFFFFFF, b, 4);
}

static entry read_entry(const uh_slots *s, uint32_t i) {
    uint8_t b[ENTRY];
    if (s->flash->read(s->flash->ctx, s->otadata + i * SECTOR, b, sizeof b) != UH_OK ||
        uh_get32(b + 28) != crc_of(uh_get32(b)))
        return (entry){UINT32_MAX, UINT32_MAX};
    return (entry){uh_get32(b), uh_get32(b + 24)};
}

static uh_status write_entry(const uh_slots *s, uint32_t i, entry e) {
    uint8_t b[ENTRY];
    memset(b, 0xFF, sizeof b);
    uh_put32(b, e.seq);
    uh_put32(b + 24, e.state);
    uh_put32(b + 28, crc_of(e.seq));
    UH_TRY(s->flash->erase(s->flash->ctx, s->otadata + i * SECTOR));
    return s->flash->write(s->flash->ctx, s->otadata + i * SECTOR, b, sizeof b);
}

static bool usable(entry e) {
    return e.seq != UINT32_MAX && e.state != UH_SLOT_INVALID && e.state != UH_SLOT_ABORTED;
}

static uint32_t slot_of(entry e) { return (e.seq - 1) % 2; }

/* active returns the usable entry with the highest number. */
static uint32_t active(const uh_slots *s) {
    uint32_t best = NONE;
    for (uint32_t i = 0; i < 2; i++)
        if (usable(read_entry(s, i)) && (best == NONE || read_entry(s, i).seq > read_entry(s, best).seq))
            best = i;
    return best;
}

/* entry_of returns the newest entry of a slot. */
static uint32_t entry_of(const uh_slots *s, uint32_t slot) {
    uint32_t best = NONE;
    for (uint32_t i = 0; i < 2; i++) {
        entry e = read_entry(s, i);
        if (e.seq != UINT32_MAX && slot_of(e) == slot && (best == NONE || e.seq > read_entry(s, best).seq))
            best = i;
    }
    return best;
}

static uh_slot_state state_of(const uh_slots *s, uint32_t slot, uh_slot_state none) {
    uint32_t i = entry_of(s, slot);
    if (i == NONE)
        return none;
    uint32_t state = read_entry(s, i).state;
    return state <= UH_SLOT_ABORTED ? (uh_slot_state)state : UH_SLOT_UNDEFINED;
}

static uh_slot_state state(void *ctx) {
    const uh_slots *s = ctx;
    return state_of(s, s->slot, UH_SLOT_UNDEFINED);
}

static uh_slot_state other(void *ctx) {
    const uh_slots *s = ctx;
    return state_of(s, 1 - s->slot, UH_SLOT_NONE);
}

static uh_status set_state(const uh_slots *s, uh_slot_state to) {
    uint32_t i = entry_of(s, s->slot);
    return i == NONE ? UH_OK : write_entry(s, i, (entry){read_entry(s, i).seq, to});
}

static uh_status confirm(void *ctx) { return set_state(ctx, UH_SLOT_VALID); }

static uh_status give_up(void *ctx) { return set_state(ctx, UH_SLOT_INVALID); }

static uh_status start(void *ctx) {
    const uh_slots *s = ctx;
    uint32_t i = active(s), seq = i == NONE ? 1 : read_entry(s, i).seq;
    do
        seq++;
    while ((seq - 1) % 2 == s->slot);
    return write_entry(s, i == NONE ? 0 : 1 - i, (entry){seq, UH_SLOT_NEW});
}

uh_status uh_slots_write(const uh_slots *s, uint32_t slot, uint32_t at, const uint8_t *b, size_t n) {
    if (at % SECTOR != 0 || n > SECTOR || at + n > s->slot_size)
        return UH_INVALID;
    UH_TRY(s->flash->erase(s->flash->ctx, s->slots[slot] + at));
    return s->flash->write(s->flash->ctx, s->slots[slot] + at, b, n);
}

uh_status uh_slots_read(const uh_slots *s, uint32_t slot, uint32_t at, uint8_t *b, size_t n) {
    return at + n > s->slot_size ? UH_INVALID : s->flash->read(s->flash->ctx, s->slots[slot] + at, b, n);
}

static bool signed_at(const uh_slots *s, uint32_t slot, uint32_t at) {
    uint8_t b[2];
    return at + SECTOR <= s->slot_size && uh_slots_read(s, slot, at, b, sizeof b) == UH_OK && b[0] == 0xE7 &&
           (b[1] == 2 || b[1] == 3);
}

uint32_t uh_slots_image(const uh_slots *s, uint32_t slot) {
    enum { HEAD = 24, SEGMENT_HEAD = 8, SEGMENTS_MOST = 16, PAGE = 65536 };
    uint8_t b[HEAD];
    if (uh_slots_read(s, slot, 0, b, sizeof b) != UH_OK || b[0] != 0xE9 || b[1] > SEGMENTS_MOST)
        return 0;
    uint32_t at = HEAD;
    bool hashed = b[23] == 1;
    for (uint8_t left = b[1]; left > 0; left--) {
        if (uh_slots_read(s, slot, at, b, SEGMENT_HEAD) != UH_OK || uh_get32(b + 4) > s->slot_size - at - SEGMENT_HEAD)
            return 0;
        at += SEGMENT_HEAD + uh_get32(b + 4);
    }
    at = (at + 16) / 16 * 16 + (hashed ? UH_SHA256_SIZE : 0);
    uint32_t page = (at + PAGE - 1) / PAGE * PAGE, sector = (at + SECTOR - 1) / SECTOR * SECTOR;
    if (signed_at(s, slot, page))
        return page + SECTOR;
    if (signed_at(s, slot, sector))
        return sector + SECTOR;
    return at <= s->slot_size ? at : 0;
}

static uh_status write_other(void *ctx, uint32_t at, const uint8_t *b, size_t n) {
    const uh_slots *s = ctx;
    return uh_slots_write(s, 1 - s->slot, at, b, n);
}

static uh_status read_other(void *ctx, uint32_t at, uint8_t *b, size_t n) {
    const uh_slots *s = ctx;
    return uh_slots_read(s, 1 - s->slot, at, b, n);
}

static uh_status read_running(void *ctx, uint32_t at, uint8_t *b, size_t n) {
    const uh_slots *s = ctx;
    return uh_slots_read(s, s->slot, at, b, n);
}

bool uh_slots_empty(const uh_slots *s) { return active(s) == NONE; }

uh_status uh_slots_boot(uh_slots *s, uint32_t *slot) {
    for (uint32_t i = 0; i < 2; i++) {
        entry e = read_entry(s, i);
        if (e.seq != UINT32_MAX && e.state == UH_SLOT_PENDING)
            UH_TRY(write_entry(s, i, (entry){e.seq, UH_SLOT_ABORTED}));
    }
    uint32_t i = active(s);
    *slot = i == NONE ? 0 : slot_of(read_entry(s, i));
    if (i != NONE && read_entry(s, i).state == UH_SLOT_NEW)
        UH_TRY(write_entry(s, i, (entry){read_entry(s, i).seq, UH_SLOT_PENDING}));
    return UH_OK;
}

void uh_slots_board(uh_slots *s, uh_board *b) {
    b->ctx = s;
    b->slot_size = s->slot_size;
    b->state = state;
    b->other = other;
    b->write = write_other;
    b->read = read_other;
    b->read_running = read_running;
    b->start = start;
    b->confirm = confirm;
    b->give_up = give_up;
}
