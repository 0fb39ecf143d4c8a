/* A board as an ESP32 is one, in a file: two entries of otadata, a sector each, and two slots for images. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "posix.h"
#include "unhidra_flash.h"

enum { SECTOR = 4096, SLOTS_AT = 2 * SECTOR };

static struct {
    uh_flash flash;
    uh_slots slots;
    bool restart;
    char product[33], version[33];
    const char *does;
    char text[1024]; /* what the image says of itself */
} board;

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

/* install puts the first image into a board that has none. */
static uh_status install(const char *file) {
    uint8_t b[SECTOR];
    FILE *f = fopen(file, "rb");
    if (f == NULL)
        return UH_MISSING;
    uh_status got = UH_OK;
    size_t n;
    for (uint32_t at = 0; got == UH_OK && (n = fread(b, 1, sizeof b, f)) > 0; at += SECTOR)
        got = uh_slots_write(&board.slots, 0, at, b, n);
    fclose(f);
    return got;
}

/* code_of reads the version code of a real image, which does not say it: 1.2.3 has 10203. */
static uint32_t code_of(const char *version) {
    uint32_t code = 0, part = 0, dots = 0;
    for (;; version++) {
        if (*version >= '0' && *version <= '9' && part < 10000) {
            part = part * 10 + (uint32_t)(*version - '0');
            continue;
        }
        code = code * 100 + part;
        part = 0;
        if (*version != '.' || ++dots == 3)
            return dots == 2 ? code : 0;
    }
}

/* look finds out what the image that runs is: its head, its descriptor, and what a simulated image says of itself. */
static uh_status look(uh_running *r, const uh_crypto *c) {
    static const char marker[] = "unhidra-simulated-firmware:";
    enum { HEAD = 32, TEXT = HEAD + 256 };
    uint8_t b[SECTOR];
    uint64_t code = 0;
    uh_slice v, text, is = {board.text, 0};
    UH_TRY(uh_slots_read(&board.slots, board.slots.slot, 0, b, sizeof b));
    if (uh_get32(b + HEAD) != 0xABCD5432 || uh_get16(b + 12) != 5)
        return UH_SYNTAX;
    memcpy(board.version, b + HEAD + 16, 32);
    memcpy(board.product, b + HEAD + 48, 32);
    board.does = "";
    if (memcmp(b + TEXT, marker, sizeof marker - 1) == 0) {
        is.n = strnlen((const char *)b + TEXT + sizeof marker - 1, sizeof board.text - 1);
        memcpy(board.text, b + TEXT + sizeof marker - 1, is.n);
        if (uh_json_get(is, "code", &v) != UH_OK || uh_json_read_uint(v, &code) != UH_OK)
            return UH_SYNTAX;
        if (uh_json_find(is, "does.how", &v) == UH_OK && uh_json_plain(v, &text) == UH_OK)
            board.does = uh_slice_is(text, "unfit") ? "unfit" : uh_slice_is(text, "crashes") ? "crashes" : "deaf";
    } else {
        code = code_of(board.version);
    }
    uint32_t size = uh_slots_image(&board.slots, board.slots.slot);
    if (size == 0 || code == 0)
        return UH_SYNTAX;
    c->begin(c->ctx);
    for (uint32_t at = 0; at < size;) {
        size_t n = size - at < sizeof b ? size - at : sizeof b;
        UH_TRY(uh_slots_read(&board.slots, board.slots.slot, at, b, n));
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
    UH_TRY(posix_flash_open(&board.flash, path, SLOTS_AT + 2 * slot_size));
    board.slots = (uh_slots){&board.flash, 0, {SLOTS_AT, SLOTS_AT + slot_size}, slot_size, 0};
    UH_TRY(uh_slots_read(&board.slots, 0, 0, &first, 1));
    if (uh_slots_empty(&board.slots) && first == 0xFF)
        UH_TRY(install(image));
    UH_TRY(uh_slots_boot(&board.slots, &board.slots.slot));
    *b = (uh_board){.restart = restart, .self_test = self_test};
    uh_slots_board(&board.slots, b);
    return look(&b->running, c);
}
