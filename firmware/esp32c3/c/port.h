/* What src/ supplies to app.c: the chip, and its network. One thread calls all of it. */
#ifndef UNHIDRA_PORT_ESP32C3_H
#define UNHIDRA_PORT_ESP32C3_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

uint64_t chip_uptime_ms(void);
uint32_t chip_free_memory(void);
uint32_t chip_revision(void);      /* 3 for v0.3 */
const char *chip_reset_reason(void); /* as the frame firmware has it */
void chip_random(uint8_t *b, size_t n);
void chip_nap(uint32_t ms);
void chip_restart(void) __attribute__((noreturn));
void chip_write(const void *b, size_t n); /* to the console */
int chip_read(void);                      /* a byte of the console; below 0: none has come */

/* Flash: at any place and of any length, but erase is of a sector. false: it failed. */
bool chip_flash_read(uint32_t at, void *b, size_t n);
bool chip_flash_write(uint32_t at, const void *b, size_t n);
bool chip_flash_erase(uint32_t at);
/* chip_partition finds a partition by its name. */
bool chip_partition(const char *name, uint32_t *at, uint32_t *size);
/* chip_runs_at returns where in flash the image is that runs; 0: that is not known. */
uint32_t chip_runs_at(void);

/* net_join has the radio join a network, and returns whether it has an address there in time. Later calls of net_dial
 * join it again. */
bool net_join(const char *ssid, const char *password, uint32_t within_ms);
bool net_dial(const char *host, uint16_t port, uint32_t wait_ms);
enum { NET_CLOSED = 0, NET_FAILED = -1, NET_LATE = -2 };
int net_recv(uint8_t *b, size_t cap, uint32_t wait_ms); /* bytes, or one of these */
int net_send(const uint8_t *b, size_t n, uint32_t wait_ms);
void net_hang_up(void);

/* What app.c and stream.c have. */
void unhidra_main(void) __attribute__((noreturn));

#endif
