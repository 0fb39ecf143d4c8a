/* A server that sends anything: each line of the input is a text frame, and ~ in an id stands for the open request. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flash.h"
#include "unhidra/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *b, size_t n);

enum { IMAGE = 3 * UH_SECTOR };

static struct {
    const uint8_t *b;
    size_t n, at;
    uint8_t out[70000]; /* what the server sends, and how much of it was read */
    size_t len, read;
    bool open;
    uint64_t now;
    uh_session session;
} world;

static uh_status stream_open(void *ctx) {
    (void)ctx;
    world.len = world.read = 0;
    world.open = true;
    return UH_OK;
}

static void stream_close(void *ctx) {
    (void)ctx;
    world.open = false;
}

static void send_text(const uint8_t *b, size_t n) {
    uint8_t head[4] = {0x81, 126, (uint8_t)(n >> 8), (uint8_t)n};
    size_t from = n < 126 ? 2 : 4;
    if (n < 126)
        head[1] = (uint8_t)n;
    memcpy(world.out, head, from);
    memcpy(world.out + from, b, n);
    world.len = from + n;
    world.read = 0;
}

/* next sends the next line. */
static bool next(void) {
    static uint8_t line[65536];
    if (world.at >= world.n)
        return false;
    size_t n = 0;
    while (world.at < world.n && world.b[world.at] != '\n' && n + 12 < sizeof line) {
        uint8_t c = world.b[world.at++];
        if (c == '~')
            n += (size_t)sprintf((char *)line + n, "%u", (unsigned)world.session.request);
        else
            line[n++] = c;
    }
    world.at++;
    send_text(line, n);
    return true;
}

static uh_status stream_read(void *ctx, uint8_t *b, size_t cap, uint32_t wait_ms, size_t *n) {
    (void)ctx;
    if (!world.open)
        abort();
    if (world.read == world.len && !next()) {
        world.now += wait_ms;
        return UH_AGAIN;
    }
    *n = world.len - world.read < cap ? world.len - world.read : cap;
    memcpy(b, world.out + world.read, *n);
    world.read += *n;
    return UH_OK;
}

/* The handshake is answered as it must be, for the nonce that is made of zeros. */
static uh_status stream_write(void *ctx, const uint8_t *b, size_t n) {
    static const char good[] = "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: "
                               "device\r\nSec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n\r\n";
    (void)ctx;
    if (n > 4 && memcmp(b, "GET ", 4) == 0) {
        memcpy(world.out, good, sizeof good - 1);
        world.len = sizeof good - 1;
        world.read = 0;
    }
    return UH_OK;
}

static uint64_t uptime(void *ctx) {
    (void)ctx;
    return world.now;
}

static void zeros(void *ctx, uint8_t *b, size_t n) {
    (void)ctx;
    memset(b, 0, n);
}

static uh_status one(void *ctx, int64_t *v) {
    (void)ctx;
    *v = 1;
    return UH_OK;
}

static uh_status obey(void *ctx, uh_slice args, char answer[UH_COMMAND_ANSWER]) {
    bool on;
    uh_slice v;
    (void)ctx;
    answer[0] = '\0';
    return uh_json_get(args, "on", &v) == UH_OK ? uh_json_read_bool(v, &on) : UH_INVALID;
}

static void hear(void *ctx, uh_event e, int code) {
    (void)ctx;
    (void)e;
    (void)code;
}

/* Cryptography that believes everything. */
static uint32_t crc;

static void begin(void *ctx) {
    (void)ctx;
    crc = 0;
}

static void add(void *ctx, const void *b, size_t n) {
    (void)ctx;
    crc = uh_crc32(crc, b, n);
}

static void end(void *ctx, uint8_t sum[UH_SHA256_SIZE]) {
    (void)ctx;
    memset(sum, (int)(crc & 0xFF), UH_SHA256_SIZE);
}

static bool verify(void *ctx, const uint8_t key[65], const uint8_t sum[UH_SHA256_SIZE], const uint8_t signature[64]) {
    (void)ctx;
    return key != NULL && sum != NULL && signature != NULL;
}

static uint8_t slot[IMAGE];

static uh_slot_state state(void *ctx) {
    (void)ctx;
    return UH_SLOT_VALID;
}

static uh_status slot_write(void *ctx, uint32_t at, const uint8_t *b, size_t n) {
    (void)ctx;
    if (at % UH_SECTOR != 0 || n > UH_SECTOR || at + n > IMAGE)
        abort();
    memcpy(slot + at, b, n);
    return UH_OK;
}

static uh_status slot_read(void *ctx, uint32_t at, uint8_t *b, size_t n) {
    (void)ctx;
    if (at + n > IMAGE)
        abort();
    memcpy(b, slot + at, n);
    return UH_OK;
}

static uh_status fine(void *ctx) {
    (void)ctx;
    return UH_OK;
}

static void restart(void *ctx) { (void)ctx; }

static const char root[] =
    "{\"type\":\"root\",\"product\":\"lamp\",\"version\":1,\"root_keys\":[{\"keyid\":\"cfcfcfcfcfcfcfcf\""
    ",\"key\":\"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBA"
    "QEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ==\"}],\"root_threshold\":1,\"release_keys\":[{\"keyid\":\"64646464"
    "64646464\",\"key\":\"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI"
    "CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg==\"}],\"release_threshold\":1,\"offer_keys\":[{\"keyid\""
    ":\"fdfdfdfdfdfdfdfd\",\"key\":\"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMD"
    "AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAw==\"}]}";

int LLVMFuzzerTestOneInput(const uint8_t *b, size_t n) {
    static const uh_sensor list[] = {{.id = 1, .kind = UH_NUMBER, .name = "a", .period_ms = 1000, .read = one}};
    static const uh_action actions[] = {{.name = "lamp", .run = obey}};
    static test_flash flash;
    static uh_updater updater;
    static uh_commands commands;
    static uint8_t rx[8192], tx[2048], scratch[512];
    test_store kept, known;
    uh_sensor_state states[1] = {0};
    uh_sensors sensors = {list, states, 1};
    uh_stream stream = {NULL, stream_open, stream_read, stream_write, stream_close};
    uh_clock clock = {NULL, uptime, NULL};
    uh_random random = {NULL, zeros};
    uh_crypto crypto = {NULL, begin, add, end, verify};
    uh_board board = {.running = {.product = "lamp", .chip = "esp32c3", .version = "1", .reset_reason = "power_on",
                                  .version_code = 1, .size = IMAGE},
                      .slot_size = IMAGE, .state = state, .other = state, .write = slot_write, .read = slot_read,
                      .read_running = slot_read, .start = fine, .confirm = fine, .give_up = fine, .restart = restart};
    uh_store store = test_store_make(&kept), other = test_store_make(&known);
    uh_flash port = test_flash_make(&flash, 3);
    uh_ring ring;
    uh_outbox outbox;
    memset(&world, 0, sizeof world);
    world.b = b;
    world.n = n;
    if (uh_ring_open(&ring, &port, UH_KEEP_NEWEST) != UH_OK || uh_outbox_open(&outbox, &ring, &sensors, 5) != UH_OK ||
        uh_commands_open(&commands, &store) != UH_OK ||
        uh_updater_open(&updater, &board, &crypto, &other, &clock, &random, uh_slice_of(root), rx, sizeof rx) != UH_OK)
        abort();
    uh_session *s = &world.session;
    uh_session_options o = {.host = "a", .path = "/ws", .key = "dk_a", .stream = &stream, .clock = &clock,
                            .random = &random, .sensors = &sensors, .outbox = &outbox, .commands = &commands,
                            .updater = &updater, .actions = actions, .action_count = 1, .rx = rx, .rx_cap = sizeof rx,
                            .tx = tx, .tx_cap = sizeof tx, .scratch = scratch, .scratch_cap = sizeof scratch,
                            .hear = hear};
    if (uh_session_init(s, &o) != UH_OK)
        abort();
    for (int i = 0; i < 200 && (world.at < n || world.read < world.len); i++)
        world.now += uh_session_step(s, 1000);
    return 0;
}
