#include <string.h>

#include "esp_ota_ops.h"
#include "esp_system.h"
#include "unhidra_esp.h"

enum { HEAD = 24, SEGMENT_HEAD = 8, SEGMENTS_MOST = 16, PAGE = 65536 };

static const esp_partition_t *running, *next;

static uh_slot_state state_of(const esp_partition_t *p, uh_slot_state none) {
    esp_ota_img_states_t s;
    if (esp_ota_get_state_partition(p, &s) != ESP_OK)
        return none;
    return s <= ESP_OTA_IMG_ABORTED ? (uh_slot_state)s : UH_SLOT_UNDEFINED;
}

static uh_slot_state state(void *ctx) {
    (void)ctx;
    return state_of(running, UH_SLOT_UNDEFINED);
}

static uh_slot_state other(void *ctx) {
    (void)ctx;
    return state_of(next, UH_SLOT_NONE);
}

static uh_status write_other(void *ctx, uint32_t at, const uint8_t *b, size_t n) {
    (void)ctx;
    if (esp_partition_erase_range(next, at, UH_SECTOR) != ESP_OK)
        return UH_IO;
    return esp_partition_write(next, at, b, n) == ESP_OK ? UH_OK : UH_IO; /* images are multiples of 16 bytes */
}

static uh_status read_other(void *ctx, uint32_t at, uint8_t *b, size_t n) {
    (void)ctx;
    return esp_partition_read(next, at, b, n) == ESP_OK ? UH_OK : UH_IO;
}

static uh_status read_running(void *ctx, uint32_t at, uint8_t *b, size_t n) {
    (void)ctx;
    return esp_partition_read(running, at, b, n) == ESP_OK ? UH_OK : UH_IO;
}

static uh_status start(void *ctx) {
    (void)ctx;
    return esp_ota_set_boot_partition(next) == ESP_OK ? UH_OK : UH_INVALID;
}

static uh_status confirm(void *ctx) {
    (void)ctx;
    return esp_ota_mark_app_valid_cancel_rollback() == ESP_OK ? UH_OK : UH_IO;
}

static uh_status give_up(void *ctx) {
    (void)ctx;
    return esp_ota_mark_app_invalid_rollback_and_reboot() == ESP_OK ? UH_OK : UH_IO; /* it restarts */
}

static void restart(void *ctx) {
    (void)ctx;
    esp_restart();
}

/* signed_size returns the size of a file with a signature sector of Secure Boot v2 at a place; 0: there is none. */
static uint32_t signed_size(uint32_t at) {
    uint8_t b[2];
    bool there = at + UH_SECTOR <= running->size && esp_partition_read(running, at, b, sizeof b) == ESP_OK;
    return there && b[0] == 0xE7 && (b[1] == 2 || b[1] == 3) ? at + UH_SECTOR : 0;
}

/* image_size returns how many bytes the image that runs has as a file; 0: it cannot be read. */
static uint32_t image_size(void) {
    uint8_t b[HEAD];
    if (esp_partition_read(running, 0, b, sizeof b) != ESP_OK || b[0] != 0xE9 || b[1] > SEGMENTS_MOST)
        return 0;
    uint32_t at = HEAD;
    bool hashed = b[23] == 1;
    for (uint8_t left = b[1]; left > 0; left--) {
        if (esp_partition_read(running, at, b, SEGMENT_HEAD) != ESP_OK || uh_get32(b + 4) > running->size - at)
            return 0;
        at += SEGMENT_HEAD + uh_get32(b + 4);
    }
    at = (at + 16) / 16 * 16 + (hashed ? UH_SHA256_SIZE : 0);
    uint32_t size = signed_size((at + PAGE - 1) / PAGE * PAGE);
    if (size == 0)
        size = signed_size((at + UH_SECTOR - 1) / UH_SECTOR * UH_SECTOR);
    return size != 0 ? size : at;
}

uh_status uh_esp_board(uh_board *board, const uh_running *is, const uh_crypto *crypto) {
    uint8_t b[256];
    running = esp_ota_get_running_partition();
    next = esp_ota_get_next_update_partition(NULL);
    if (running == NULL || next == NULL)
        return UH_MISSING;
    *board = (uh_board){.running = *is, .slot_size = next->size, .state = state, .other = other, .write = write_other,
                        .read = read_other, .read_running = read_running, .start = start, .confirm = confirm,
                        .give_up = give_up, .restart = restart};
    board->running.size = image_size();
    if (board->running.size == 0)
        return UH_SYNTAX;
    crypto->begin(crypto->ctx);
    for (uint32_t at = 0; at < board->running.size;) {
        uint32_t n = board->running.size - at < sizeof b ? board->running.size - at : sizeof b;
        UH_TRY(read_running(NULL, at, b, n));
        crypto->add(crypto->ctx, b, n);
        at += n;
    }
    crypto->end(crypto->ctx, board->running.sha256);
    return UH_OK;
}
