#include "flash.h"
#include "test.h"
#include "unhidra_flash.h"

static test_flash flash;
static uh_slots slots;
static uh_board board;

/* boot starts the board again. */
static uint32_t boot(void) {
    CHECK(uh_slots_boot(&slots, &slots.slot) == UH_OK);
    return slots.slot;
}

static uh_slot_state state(void) { return board.state(board.ctx); }

/* An image is as long as its segments say, and, if it is signed, a sector longer. */
static void sizes(void) {
    uh_flash port = test_flash_make(&flash, 8);
    uint8_t b[SECTOR] = {0xE9, 2, [23] = 1}, end[2] = {0xE7, 2};
    slots = (uh_slots){&port, 0, {2 * SECTOR, 5 * SECTOR}, 3 * SECTOR, 0};
    CHECK(uh_slots_image(&slots, 0) == 0);
    uh_put32(b + 24 + 4, 100);
    uh_put32(b + 24 + 8 + 100 + 4, 200);
    memset(b + 24 + 8 + 100 + 8 + 200, 0xFF, sizeof b - 340);
    CHECK(uh_slots_write(&slots, 0, 0, b, sizeof b) == UH_OK && uh_slots_image(&slots, 0) == 352 + 32);
    CHECK(uh_slots_write(&slots, 0, SECTOR, end, sizeof end) == UH_OK && uh_slots_image(&slots, 0) == 2 * SECTOR);
    uh_put32(b + 24 + 8 + 100 + 4, 3 * SECTOR);
    CHECK(uh_slots_write(&slots, 0, 0, b, sizeof b) == UH_OK && uh_slots_image(&slots, 0) == 0);
    uh_put32(b + 24 + 8 + 100 + 4, UINT32_MAX);
    CHECK(uh_slots_write(&slots, 0, 0, b, sizeof b) == UH_OK && uh_slots_image(&slots, 0) == 0);
}

void test_slots(void) {
    sizes();
    uint8_t b[SECTOR] = {1, 2, 3}, got[3];
    uh_flash port = test_flash_make(&flash, 8);
    slots = (uh_slots){&port, 0, {2 * SECTOR, 5 * SECTOR}, 3 * SECTOR, 0};
    uh_slots_board(&slots, &board);
    CHECK(uh_slots_empty(&slots) && boot() == 0 && state() == UH_SLOT_UNDEFINED);
    CHECK(board.other(board.ctx) == UH_SLOT_NONE && board.slot_size == 3 * SECTOR);

    CHECK(board.write(board.ctx, SECTOR, b, sizeof b) == UH_OK && board.read(board.ctx, SECTOR, got, 3) == UH_OK);
    CHECK(memcmp(got, b, 3) == 0 && memcmp(flash.b + 6 * SECTOR, b, 3) == 0);
    CHECK(board.write(board.ctx, 3 * SECTOR, b, 1) == UH_INVALID && board.write(board.ctx, 5, b, 1) == UH_INVALID);
    CHECK(board.read(board.ctx, 3 * SECTOR, got, 1) == UH_INVALID);

    /* It is confirmed, and stays. */
    CHECK(board.start(board.ctx) == UH_OK && boot() == 1 && state() == UH_SLOT_PENDING);
    CHECK(board.confirm(board.ctx) == UH_OK && boot() == 1 && boot() == 1 && state() == UH_SLOT_VALID);
    CHECK(board.read_running(board.ctx, SECTOR, got, 3) == UH_OK && memcmp(got, b, 3) == 0);
    /* It crashes: the next start takes it back. */
    CHECK(board.start(board.ctx) == UH_OK && boot() == 0 && state() == UH_SLOT_PENDING);
    CHECK(boot() == 1 && board.other(board.ctx) == UH_SLOT_ABORTED && state() == UH_SLOT_VALID);
    /* It gives itself up. */
    CHECK(board.start(board.ctx) == UH_OK && boot() == 0 && board.give_up(board.ctx) == UH_OK);
    CHECK(boot() == 1 && board.other(board.ctx) == UH_SLOT_INVALID && !flash.wrong);
}
