/* What ports without ESP-IDF build of bare flash: the two slots of a board, and a store. */
#ifndef UNHIDRA_FLASH_H
#define UNHIDRA_FLASH_H

#include "unhidra/update.h"

/* Slots are a board's two places for images, with the two sectors of otadata that say which of them is started, as
 * ESP-IDF's bootloader reads them. */
typedef struct {
    const uh_flash *flash;
    uint32_t otadata, slots[2], slot_size;
    uint32_t slot; /* that runs */
} uh_slots;

/* uh_slots_boot does what a bootloader with rollback does: it takes back what was not confirmed, notes that a new image
 * is started, and returns the slot to start. It is called once at each start. */
uh_status uh_slots_boot(uh_slots *s, uint32_t *slot);
/* uh_slots_empty says whether otadata names no slot. */
bool uh_slots_empty(const uh_slots *s);
uh_status uh_slots_write(const uh_slots *s, uint32_t slot, uint32_t at, const uint8_t *b, size_t n);
uh_status uh_slots_read(const uh_slots *s, uint32_t slot, uint32_t at, uint8_t *b, size_t n);
/* uh_slots_image returns how many bytes the image in a slot has as a file, with a signature of Secure Boot v2 if it has
 * one; 0: there is none. */
uint32_t uh_slots_image(const uh_slots *s, uint32_t slot);
/* uh_slots_board fills in what a board can do with slots; what runs, restart and self_test are the caller's. */
void uh_slots_board(uh_slots *s, uh_board *b);

/* A store in a flash of an even number of sectors, two at least: one half is in use, and what is still good is copied
 * to the other one when it is full. */
typedef struct {
    const uh_flash *flash;
    uint32_t half, generation, end; /* the half in use; where its next record goes */
} uh_flash_store;

uh_status uh_flash_store_open(uh_flash_store *s, const uh_flash *flash);
uh_store uh_flash_store_port(uh_flash_store *s);

#endif
