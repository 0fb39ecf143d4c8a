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
    bool answers; /* each request with ok */
    char answer[256];
    uint8_t boots[4096]; /* of the reports that came, in their order */
    size_t reports;
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

/* take notes what a request is, which is as it was before it was masked: the mask is made of zeros. */
static void take(const uint8_t *b, size_t n) {
    static const char ok[] = "{\"id\":\"%.*s\",\"type\":\"ok\",\"data\":{}}";
    uh_slice all = {(const char *)b, n}, v, id;
    uint8_t head[3];
    size_t len;
    if (uh_json_get(all, "id", &v) != UH_OK || uh_json_plain(v, &id) != UH_OK)
        return;
    if (uh_json_find(all, "data.packed", &v) == UH_OK && world.reports < sizeof world.boots) {
        CHECK(uh_base64_decode(v.b + 1, 4, head, sizeof head, &len) == UH_OK && head[1] == 1);
        world.boots[world.reports++] = head[2];
    }
    snprintf(world.answer + 2, sizeof world.answer - 2, ok, (int)id.n, id.b);
    world.answer[0] = '\x81';
    world.answer[1] = (char)strlen(world.answer + 2);
    world.sends = world.answer;
    world.n = strlen(world.answer + 2) + 2;
    world.at = 0;
}

static uh_status stream_write(void *ctx, const uint8_t *b, size_t n) {
    (void)ctx;
    if (world.answers && n > 8 && b[0] == 0x81)
        take(b + (b[1] == 0xFE ? 8 : 6), n - (b[1] == 0xFE ? 8 : 6));
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

static int64_t steps, door;

static uh_status step(void *ctx, int64_t *v) {
    (void)ctx;
    *v = ++steps;
    return UH_OK;
}

static uh_status is_open(void *ctx, int64_t *v) {
    (void)ctx;
    *v = door;
    return UH_OK;
}

/* A door that was opened while the server was away is told first, and is not given up for what else was measured. */
static void urgent(void) {
    static const uh_sensor list[] = {
        {.id = 1, .kind = UH_NUMBER, .name = "steps", .period_ms = 100, .read = step},
        {.id = 2, .kind = UH_BOOL, .name = "door", .urgent = true, .period_ms = 100, .deadband = 1, .read = is_open}};
    static uh_sensor_state states[2];
    static uh_sensors sensors = {list, states, 2};
    static test_flash flash;
    static uh_flash port;
    static uh_ring ring;
    static uh_outbox alarms;
    BEGIN("HTTP/1.1 401 x\r\n\r\n");
    port = test_flash_make(&flash, 3);
    CHECK(uh_ring_open(&ring, &port, UH_KEEP_OLDEST) == UH_OK && uh_outbox_open(&alarms, &ring, &sensors, 6) == UH_OK);
    uh_session *s = &world.session;
    s->o.urgent = &alarms;
    s->o.sensors = &sensors;
    s->o.outbox->sensors = &sensors;
    s->o.batch_ms = 60 * SECOND;
    door = 0;
    pass(SECOND);
    door = 1;
    pass(14 * MINUTE);
    CHECK(world.events[UH_EVENT_FLASH] == 0 && s->o.outbox->ring->lost > 100 && ring.lost == 0 && alarms.waiting == 2);
    SENDS(GOOD HELLO);
    world.answers = true;
    pass(3 * MINUTE);
    CHECK(world.attempts == 2 && world.reports > 2 && world.boots[0] == 6 && world.boots[1] == 5);
    CHECK(alarms.waiting == 0 && uh_ring_empty(&ring));
    /* With a connection it does not wait for others. */
    pass(2 * MINUTE);
    size_t before = world.reports;
    uint64_t began = world.now;
    door = 0;
    while (world.reports == before && world.now < began + MINUTE)
        pass(100);
    CHECK(world.boots[before] == 6 && world.now - began <= SECOND);
}

void test_session(void) {
    urgent();
    keys();
    revoked();
    busy();
    mute();
}
