/* A board as an ESP32 is one, in a file: two entries of otadata, a sector each, and two slots for images. The
 * bootloader follows the rules of ESP-IDF. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "posix.h"

enum { SECTOR = 4096, ENTRY = 32, SLOTS_AT = 2 * SECTOR };

static struct {
    uh_flash flash;
    uint32_t slot_size;
    uint32_t slot; /* that runs */
    bool restart;
    char product[33], version[33];
    const char *does;
    char text[1024]; /* what the image says of itself */
} board;

typedef struct {
    uint32_t seq, state; /* seq 0xFFFFFFFF: there is no entry */
} entry;

static uint32_t crc_of(uint32_t seq) {
    uint8_t b[4];
    uh_put32(b, seq);
    return uh_crc32(0xFFFFFFFF, b, 4);
}

static entry read_entry(uint32_t i) {
    uint8_t b[ENTRY];
    if (board.flash.read(board.flash.ctx, i * SECTOR, b, sizeof b) != UH_OK || uh_get32(b + 28) != crc_of(uh_get32(b)))
        return (entry){UINT32_MAX, UINT32_MAX};
    return (entry){uh_get32(b), uh_get32(b + 24)};
}

static uh_status write_entry(uint32_t i, entry e) {
    uint8_t b[ENTRY];
    memset(b, 0xFF, sizeof b);
    uh_put32(b, e.seq);
    uh_put32(b + 24, e.state);
    uh_put32(b + 28, crc_of(e.seq));
    UH_TRY(board.flash.erase(board.flash.ctx, i * SECTOR));
    return board.flash.write(board.flash.ctx, i * SECTOR, b, sizeof b);
}

static bool usable(entry e) {
    return e.seq != UINT32_MAX && e.state != UH_SLOT_INVALID && e.state != UH_SLOT_ABORTED;
}

static uint32_t slot_of(entry e) { return (e.seq - 1) % 2; }

/* active returns the usable entry with the highest number; 2: there is none. */
static uint32_t active(void) {
    uint32_t best = 2;
    for (uint32_t i = 0; i < 2; i++)
        if (usable(read_entry(i)) && (best == 2 || read_entry(i).seq > read_entry(best).seq))
            best = i;
    return best;
}

/* entry_of returns the newest entry of a slot; 2: it has none. */
static uint32_t entry_of(uint32_t slot) {
    uint32_t best = 2;
    for (uint32_t i = 0; i < 2; i++) {
        entry e = read_entry(i);
        if (e.seq != UINT32_MAX && slot_of(e) == slot && (best == 2 || e.seq > read_entry(best).seq))
            best = i;
    }
    return best;
}

static uh_slot_state state_of(uint32_t slot, uh_slot_state none) {
    uint32_t i = entry_of(slot);
    if (i == 2)
        return none;
    uint32_t state = read_entry(i).state;
    return state <= UH_SLOT_ABORTED ? (uh_slot_state)state : UH_SLOT_UNDEFINED;
}

static uh_slot_state state(void *ctx) {
    (void)ctx;
    return state_of(board.slot, UH_SLOT_UNDEFINED);
}

static uh_slot_state other(void *ctx) {
    (void)ctx;
    return state_of(1 - board.slot, UH_SLOT_NONE);
}

static uh_status set_state(uh_slot_state to) {
    uint32_t i = entry_of(board.slot);
    return i == 2 ? UH_OK : write_entry(i, (entry){read_entry(i).seq, to});
}

static uh_status confirm(void *ctx) {
    (void)ctx;
    return set_state(UH_SLOT_VALID);
}

static uh_status give_up(void *ctx) {
    (void)ctx;
    return set_state(UH_SLOT_INVALID);
}

static uh_status start(void *ctx) {
    (void)ctx;
    uint32_t i = active(), seq = i == 2 ? 1 : read_entry(i).seq;
    do
        seq++;
    while ((seq - 1) % 2 == board.slot);
    return write_entry(i == 2 ? 0 : 1 - i, (entry){seq, UH_SLOT_NEW});
}

static uint32_t address(uint32_t slot, uint32_t at) { return SLOTS_AT + slot * board.slot_size + at; }

static uh_status write_slot(uint32_t slot, uint32_t at, const uint8_t *b, size_t n) {
    if (at % SECTOR != 0 || n > SECTOR || at + n > board.slot_size)
        return UH_INVALID;
    UH_TRY(board.flash.erase(board.flash.ctx, address(slot, at)));
    return board.flash.write(board.flash.ctx, address(slot, at), b, n);
}

static uh_status write_other(void *ctx, uint32_t at, const uint8_t *b, size_t n) {
    (void)ctx;
    return write_slot(1 - board.slot, at, b, n);
}

static uh_status read_other(void *ctx, uint32_t at, uint8_t *b, size_t n) {
    (void)ctx;
    return at + n > board.slot_size ? UH_INVALID : board.flash.read(board.flash.ctx, address(1 - board.slot, at), b, n);
}

static uh_status read_running(void *ctx, uint32_t at, uint8_t *b, size_t n) {
    (void)ctx;
    return at + n > board.slot_size ? UH_INVALID : board.flash.read(board.flash.ctx, address(board.slot, at), b, n);
}

static void restart(void *ctx) {
    (void)ctx;
    board.restart = true;
}

bool posix_board_restarts(void) { return board.restart; }

static uh_status self_test(void *ctx) {
    (void)ctx;
    return strcmp(board.does, "unfit") == 0 ? UH_INVALID : UH_OK;
}

const char *posix_board_does(void) { return board.does; }

/* bootloader chooses the slot that runs. */
static uh_status bootloader(void) {
    for (uint32_t i = 0; i < 2; i++)
        if (read_entry(i).seq != UINT32_MAX && read_entry(i).state == UH_SLOT_PENDING)
            UH_TRY(write_entry(i, (entry){read_entry(i).seq, UH_SLOT_ABORTED}));
    uint32_t i = active();
    board.slot = i == 2 ? 0 : slot_of(read_entry(i));
    if (i < 2 && read_entry(i).state == UH_SLOT_NEW)
        UH_TRY(write_entry(i, (entry){read_entry(i).seq, UH_SLOT_PENDING}));
    return UH_OK;
}

/* install puts the first image into a board that has none. */
static uh_status install(const char *file) {
    uint8_t b[SECTOR];
    FILE *f = fopen(file, "rb");
    if (f == NULL)
        return UH_MISSING;
    uh_status got = UH_OK;
    size_t n;
    for (uint32_t at = 0; got == UH_OK && (n = fread(b, 1, sizeof b, f)) > 0; at += SECTOR)
        got = write_slot(0, at, b, n);
    fclose(f);
    return got;
}

/* look finds out what the image that runs is: its head, its descriptor, and what the simulated image says of itself. */
static uh_status look(uh_running *r, const uh_crypto *c) {
    static const char marker[] = "unhidra-simulated-firmware:";
    enum { HEAD = 32, TEXT = HEAD + 256 };
    uint8_t b[SECTOR];
    uint64_t code = 0;
    uh_slice v, text, is = {board.text, 0};
    UH_TRY(board.flash.read(board.flash.ctx, address(board.slot, 0), b, sizeof b));
    if (b[0] != 0xE9 || b[1] != 1 || uh_get32(b + HEAD) != 0xABCD5432 || uh_get16(b + 12) != 5 ||
        memcmp(b + TEXT, marker, sizeof marker - 1) != 0)
        return UH_SYNTAX;
    is.n = strnlen((const char *)b + TEXT + sizeof marker - 1, sizeof board.text - 1);
    memcpy(board.text, b + TEXT + sizeof marker - 1, is.n);
    memcpy(board.version, b + HEAD + 16, 32);
    memcpy(board.product, b + HEAD + 48, 32);
    board.does = "";
    if (uh_json_get(is, "code", &v) != UH_OK || uh_json_read_uint(v, &code) != UH_OK)
        return UH_SYNTAX;
    if (uh_json_find(is, "does.how", &v) == UH_OK && uh_json_plain(v, &text) == UH_OK)
        board.does = uh_slice_is(text, "unfit") ? "unfit" : uh_slice_is(text, "crashes") ? "crashes" : "deaf";
    uint32_t size = ((32 + uh_get32(b + 28)) / 16 + 1) * 16 + 32;
    if (size > board.slot_size)
        return UH_SYNTAX;
    c->begin(c->ctx);
    for (uint32_t at = 0; at < size;) {
        size_t n = size - at < sizeof b ? size - at : sizeof b;
        UH_TRY(board.flash.read(board.flash.ctx, address(board.slot, at), b, n));
        c->add(c->ctx, b, n);
        at += (uint32_t)n;
    }
    c->end(c->ctx, r->sha256);
    r->size = size;
    r->product = board.product;
    r->version = board.version;
    r->version_code = (uint32_t)code;
    r->chip = "esp32c3";
    r->reset_reason = "power_on";
    return UH_OK;
}

uh_status posix_board_open(uh_board *b, const char *path, uint32_t slot_size, const char *image, const uh_crypto *c) {
    uint8_t first;
    board.slot_size = slot_size;
    UH_TRY(posix_flash_open(&board.flash, path, SLOTS_AT + 2 * slot_size));
    UH_TRY(board.flash.read(board.flash.ctx, address(0, 0), &first, 1));
    if (active() == 2 && first == 0xFF)
        UH_TRY(install(image));
    UH_TRY(bootloader());
    *b = (uh_board){.slot_size = slot_size, .state = state, .other = other, .write = write_other, .read = read_other,
                    .read_running = read_running,
                    .start = start, .confirm = confirm, .give_up = give_up, .restart = restart, .self_test = self_test};
    return look(&b->running, c);
}
