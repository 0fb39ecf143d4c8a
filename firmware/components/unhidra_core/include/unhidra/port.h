/* What a port supplies. Beside it the core calls some functions of string.h alone. */
#ifndef UNHIDRA_PORT_H
#define UNHIDRA_PORT_H

#include <stddef.h>
#include <stdint.h>

#include "unhidra/status.h"

/* A stream is one connection to the server: TLS, or plain TCP where that is wanted. */
typedef struct {
    void *ctx;
    /* open connects, and returns once the TLS handshake is over. It alone may take seconds. */
    uh_status (*open)(void *ctx);
    /* read waits for at most wait_ms and puts what came into b, at least one byte. UH_AGAIN: nothing came. UH_CLOSED:
     * the other side is gone. */
    uh_status (*read)(void *ctx, uint8_t *b, size_t cap, uint32_t wait_ms, size_t *n);
    /* write sends all n bytes, or fails; then the connection is of no more use. */
    uh_status (*write)(void *ctx, const uint8_t *b, size_t n);
    void (*close)(void *ctx);
} uh_stream;

/* A clock tells the milliseconds since the device started, and never goes back. unix_ms returns the milliseconds since
 * 1970, or 0 if the time is not known; it may be NULL. */
typedef struct {
    void *ctx;
    uint64_t (*uptime_ms)(void *ctx);
    uint64_t (*unix_ms)(void *ctx);
} uh_clock;

/* random fills b with bytes that nobody can predict: keys of frames and nonces are made of it. */
typedef struct {
    void *ctx;
    void (*fill)(void *ctx, uint8_t *b, size_t n);
} uh_random;

/* A flash is a part of flash memory: erase sets a sector to 0xFF, and write can only clear bits. When the power goes, a
 * write or an erase may be done in part. */
typedef struct {
    void *ctx;
    uint32_t size;   /* bytes: a multiple of sector */
    uint32_t sector; /* bytes that are erased at a time, 4096 on ESP32 */
    uh_status (*read)(void *ctx, uint32_t at, void *b, size_t n);
    uh_status (*write)(void *ctx, uint32_t at, const void *b, size_t n);
    uh_status (*erase)(void *ctx, uint32_t at);
} uh_flash;

/* A store keeps small values by name. After save, and after a power cut in it, there is the new value or the one
 * before, as a whole. load returns UH_MISSING if there is none, and UH_SPACE if it is longer than cap. erase forgets a
 * value, if there is one. */
typedef struct {
    void *ctx;
    uh_status (*load)(void *ctx, const char *name, void *b, size_t cap, size_t *n);
    uh_status (*save)(void *ctx, const char *name, const void *b, size_t n);
    uh_status (*erase)(void *ctx, const char *name);
} uh_store;

#endif
