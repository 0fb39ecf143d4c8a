#include "flash.h"
#include "test.h"
#include "unhidra/session.h"

#define GOOD                                                                                                  \
    "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: device\r\n"       \
    "Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n\r\n" /* for the nonce that is made of zeros */
#define HELLO "\x81\x2d{\"type\":\"hello\",\"data\":{\"me\":{\"id\":\"dev_1\"}}}"

enum { SECOND = 1000, MINUTE = 60 * SECOND };

/* A server that answers each attempt alike, and then pings, or is silent. */
static struct {
    const char *sends;
    size_t n, at;
    bool pings;
    int attempts;
    uint64_t now;
    int events[UH_EVENT_FLASH + 1]; /* how often, and the last code of each */
    int codes[UH_EVENT_FLASH + 1];
    uh_session session;
} world;

static uh_status stream_open(void *ctx) {
    (void)ctx;
    world.at = 0;
    world.attempts++;
    return UH_OK;
}

static void stream_close(void *ctx) { (void)ctx; }

static uh_status stream_read(void *ctx, uint8_t *b, size_t cap, uint32_t wait_ms, size_t *n) {
    (void)ctx;
    if (world.at == world.n) {
        world.now += wait_ms;
        if (!world.pings)
            return UH_AGAIN;
        memcpy(b, "\x89", *n = 2);
        return UH_OK;
    }
    *n = world.n - world.at < cap ? world.n - world.at : cap;
    memcpy(b, world.sends + world.at, *n);
    world.at += *n;
    return UH_OK;
}

static uh_status stream_write(void *ctx, const uint8_t *b, size_t n) {
    (void)ctx;
    (void)b;
    (void)n;
    return UH_OK;
}

static uint64_t uptime(void *ctx) {
    (void)ctx;
    return world.now;
}

/* fill makes nonces of zeros, and each wait 100 ms longer than it must be. */
static void fill(void *ctx, uint8_t *b, size_t n) {
    (void)ctx;
    memset(b, 0, n);
    if (n == 8)
        b[0] = 100;
}

static void hear(void *ctx, uh_event e, int code) {
    (void)ctx;
    world.events[e]++;
    world.codes[e] = code;
}

static const uh_stream stream = {NULL, stream_open, stream_read, stream_write, stream_close};
static const uh_clock watch = {NULL, uptime, NULL};
static const uh_random chance = {NULL, fill};

static void sends(const char *b, size_t n) {
    world.sends = b;
    world.n = n;
}

/* begin makes a device whose server sends n bytes after each attempt. */
static void begin(const char *b, size_t n) {
    static test_flash flash;
    static test_store kept;
    static uh_flash port;
    static uh_store store;
    static uh_ring ring;
    static uh_outbox outbox;
    static uh_commands commands;
    static uh_sensors sensors;
    static uint8_t rx[2048], tx[2048], scratch[512];
    memset(&world, 0, sizeof world);
    sends(b, n);
    port = test_flash_make(&flash, 3);
    store = test_store_make(&kept);
    CHECK(uh_ring_open(&ring, &port, UH_KEEP_NEWEST) == UH_OK && uh_outbox_open(&outbox, &ring, &sensors, 5) == UH_OK);
    CHECK(uh_commands_open(&commands, &store) == UH_OK);
    uh_session_options o = {.host = "a", .path = "/ws", .key = "dk_a", .stream = &stream, .clock = &watch,
                            .random = &chance, .sensors = &sensors, .outbox = &outbox, .commands = &commands, .rx = rx,
                            .rx_cap = sizeof rx, .tx = tx, .tx_cap = sizeof tx, .scratch = scratch,
                            .scratch_cap = sizeof scratch, .hear = hear};
    CHECK(uh_session_init(&world.session, &o) == UH_OK);
}

/* pass lets a time pass. */
static void pass(uint64_t ms) {
    for (uint64_t late = world.now + ms; world.now < late;)
        world.now += uh_session_step(&world.session, (uint32_t)(late - world.now < SECOND ? late - world.now : SECOND));
}

#define BEGIN(text) begin(text, sizeof(text) - 1)
#define SENDS(text) sends(text, sizeof(text) - 1)

/* A key that never was good is tried again after a quarter of an hour; one that was good is tried again soon. */
static void keys(void) {
    BEGIN("HTTP/1.1 401 x\r\n\r\n");
    pass(15 * MINUTE - SECOND);
    CHECK(world.attempts == 1 && world.events[UH_EVENT_SHUT_OUT] == 1 && world.codes[UH_EVENT_SHUT_OUT] == 401);
    pass(2 * SECOND);
    CHECK(world.attempts == 2);

    BEGIN(GOOD HELLO "\x88\x0b\x11\x3asuspended");
    CHECK(uh_session_step(&world.session, SECOND) == 0);
    CHECK(world.events[UH_EVENT_ONLINE] == 1 && world.codes[UH_EVENT_OFFLINE] == 4410);
    SENDS("HTTP/1.1 401 x\r\n\r\n");
    pass(SECOND);
    CHECK(world.attempts > 1 && world.events[UH_EVENT_SHUT_OUT] == 0 && world.codes[UH_EVENT_OFFLINE] == 401);
}

/* Whoever is revoked stays away for a quarter of an hour. */
static void revoked(void) {
    BEGIN(GOOD HELLO "\x88\x09\x11\x3arevoked");
    pass(15 * MINUTE - SECOND);
    CHECK(world.attempts == 1 && world.codes[UH_EVENT_SHUT_OUT] == 4410);
    CHECK(world.events[UH_EVENT_OFFLINE] == 0 && world.events[UH_EVENT_ONLINE] == 1);
}

/* A server that is busy is not asked before the time that it names. */
static void busy(void) {
    BEGIN("HTTP/1.1 503 x\r\nRetry-After: 7\r\n\r\n");
    pass(6 * SECOND);
    CHECK(world.attempts == 1 && world.codes[UH_EVENT_OFFLINE] == 503);
    pass(2 * SECOND);
    CHECK(world.attempts == 2);
}

/* A connection on which the server says nothing, or pings and never says hello, is given up. */
static void mute(void) {
    for (int pings = 0; pings < 2; pings++) {
        BEGIN(GOOD);
        world.pings = pings == 1;
        pass(29 * SECOND);
        CHECK(world.attempts == 1 && world.events[UH_EVENT_OFFLINE] == 0);
        pass(3 * SECOND);
        CHECK(world.attempts == 2 && world.events[UH_EVENT_OFFLINE] == 1);
    }
}

void test_session(void) {
    keys();
    revoked();
    busy();
    mute();
}
