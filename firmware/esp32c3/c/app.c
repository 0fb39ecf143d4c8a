/* The device: it is set up by its console, gets its key by a claim token, says how much memory it has free, and is
 * updated. Of main/app_main.c it lacks what needs ESP-IDF: see docs/firmware-image.md. */
#include <string.h>

#include "port.h"
#include "psa_crypto.h"
#include "stream.h"
#include "unhidra/claim.h"
#include "unhidra/reset.h"
#include "unhidra/setup.h"
#include "unhidra_flash.h"

enum { SECTOR = UH_SECTOR, JOIN_MS = 30000, CONFIRM_MS = 300000, SETUP_MS = 300000 };

extern const unsigned char root_start[];
extern const unsigned root_size;

static void say(const char *what, const char *why) {
    char line[96] = "unhidra: ";
    size_t n = strlen(line);
    for (const char *parts[] = {what, ": ", why, "\n"}, **p = parts; p < parts + 4; p++)
        for (const char *c = *p; *c != '\0' && n < sizeof line; c++)
            line[n++] = *c;
    chip_write(line, n);
}

static uint64_t uptime(void *ctx) {
    (void)ctx;
    return chip_uptime_ms();
}

static void fill(void *ctx, uint8_t *b, size_t n) {
    (void)ctx;
    chip_random(b, n);
}

/* A part of flash: ctx points to where it begins. */
static uh_status part_read(void *ctx, uint32_t at, void *b, size_t n) {
    return chip_flash_read(*(uint32_t *)ctx + at, b, n) ? UH_OK : UH_IO;
}

static uh_status part_write(void *ctx, uint32_t at, const void *b, size_t n) {
    return chip_flash_write(*(uint32_t *)ctx + at, b, n) ? UH_OK : UH_IO;
}

static uh_status part_erase(void *ctx, uint32_t at) {
    return chip_flash_erase(*(uint32_t *)ctx + at) ? UH_OK : UH_IO;
}

static uh_flash part(uint32_t *begin, uint32_t size) {
    return (uh_flash){begin, size / SECTOR * SECTOR, SECTOR, part_read, part_write, part_erase};
}

static uh_status memory(void *ctx, int64_t *v) {
    (void)ctx;
    *v = (int64_t)chip_free_memory();
    return UH_OK;
}

#if UNHIDRA_UPTIME
static uh_status running(void *ctx, int64_t *v) {
    (void)ctx;
    *v = (int64_t)(chip_uptime_ms() / 1000);
    return UH_OK;
}
#endif

static const uh_clock clock = {NULL, uptime, NULL};
static const uh_random randomness = {NULL, fill};
static const uh_sensor list[] = {{.id = 1, .kind = UH_NUMBER, .name = "memory", .unit = "B", .period_ms = 10000,
                                  .deadband = 1024, .silence_ms = 600000, .read = memory},
#if UNHIDRA_UPTIME
                                 {.id = 2, .kind = UH_NUMBER, .name = "uptime", .unit = "s", .period_ms = 60000,
                                  .read = running},
#endif
};
enum { SENSORS = sizeof list / sizeof *list };
static uh_sensor_state states[SENSORS];
static uh_sensors sensors = {list, states, SENSORS};
static uint32_t whole_at, log_at, store_at;
static uh_flash whole, log_flash, store_flash;
static uh_flash_store values;
static uh_store store;
static uh_slots slots;
static uh_ring ring;
static uh_outbox outbox;
static uh_commands commands;
static uh_crypto crypto;
static uh_board board;
static uh_updater updater;
static uh_session session;
static uint8_t rx[16384], tx[4096], scratch[2048];
static const uh_flash *const logs[] = {&log_flash};
static uh_reset reset = {.store = &store, .logs = logs, .count = 1};
static uh_setup setup;
static char key[UH_KEY_SIZE];
static bool restarts;

/* open_flash finds the partitions. If the bootloader has started another slot than otadata names, because its image is
 * damaged, that is what runs. */
static uh_status open_flash(void) {
    uint32_t size, other, chosen;
    whole = part(&whole_at, 4u << 20);
    if (!chip_partition("log", &log_at, &size))
        return UH_MISSING;
    log_flash = part(&log_at, size);
    if (!chip_partition("nvs", &store_at, &size))
        return UH_MISSING;
    store_flash = part(&store_at, size);
    if (!chip_partition("otadata", &slots.otadata, &size) || size < 2 * SECTOR ||
        !chip_partition("ota_0", &slots.slots[0], &slots.slot_size) ||
        !chip_partition("ota_1", &slots.slots[1], &other) || other != slots.slot_size)
        return UH_MISSING;
    slots.flash = &whole;
    slots.slot = chip_runs_at() == slots.slots[1];
    /* The bootloader that comes with this image does not take images back. This does, as soon as one gets to here. */
    UH_TRY(uh_slots_boot(&slots, &chosen));
    if (chosen != slots.slot) {
        say("another image is started", "the last one was not confirmed");
        chip_restart();
    }
    UH_TRY(uh_flash_store_open(&values, &store_flash));
    store = uh_flash_store_port(&values);
    return uh_reset_finish(&reset);
}

static void restart(void *ctx) {
    (void)ctx;
    restarts = true;
}

static uh_status open_board(void) {
    uint8_t b[256];
    board = (uh_board){.restart = restart,
                       .running = {.product = UNHIDRA_PRODUCT, .chip = "esp32c3", .version = UNHIDRA_VERSION,
                                   .reset_reason = chip_reset_reason(), .revision = (uint16_t)chip_revision(),
                                   .version_code = UNHIDRA_VERSION_CODE, .size = uh_slots_image(&slots, slots.slot)}};
    uh_slots_board(&slots, &board);
    if (board.running.size == 0)
        return UH_SYNTAX;
    UH_TRY(uh_psa_crypto(&crypto));
    crypto.begin(crypto.ctx);
    for (uint32_t at = 0; at < board.running.size;) {
        uint32_t n = board.running.size - at < sizeof b ? board.running.size - at : sizeof b;
        UH_TRY(uh_slots_read(&slots, slots.slot, at, b, n));
        crypto.add(crypto.ctx, b, n);
        at += n;
    }
    crypto.end(crypto.ctx, board.running.sha256);
    return UH_OK;
}

static uh_status open_core(void) {
    uint64_t boot;
    UH_TRY(uh_ring_open(&ring, &log_flash, UH_KEEP_NEWEST));
    UH_TRY(uh_outbox_next_boot(&store, &randomness, &boot));
    UH_TRY(uh_outbox_open(&outbox, &ring, &sensors, boot));
    UH_TRY(uh_commands_open(&commands, &store));
    return uh_updater_open(&updater, &board, &crypto, &store, &clock, &randomness,
                           (uh_slice){(const char *)root_start, root_size}, rx, sizeof rx);
}

static void line_out(void *ctx, const void *b, size_t n) {
    (void)ctx;
    chip_write(b, n);
}

/* hear_console waits until the setup has come by the console. */
static void hear_console(void) {
    static uh_console console;
    static uh_setup typed;
    console = (uh_console){.write = line_out, .firmware = UNHIDRA_PRODUCT, .version = UNHIDRA_VERSION,
                           .chip = "ESP32-C3", .name = UNHIDRA_PRODUCT, .setup = &typed,
                           .joined = setup.ssid[0] != '\0'};
    say("waits to be set up", "by a line of JSON, or by Improv");
    while (setup.ssid[0] == '\0' || setup.server[0] == '\0') {
        int b = chip_read();
        if (b < 0)
            chip_nap(10);
        if (b < 0 || !uh_console_feed(&console, (uint8_t)b))
            continue;
        uh_status tried = typed.ssid[0] == '\0' || net_join(typed.ssid, typed.password, JOIN_MS) ? UH_OK : UH_MISSING;
        if (tried == UH_OK)
            tried = uh_setup_save(&typed, &store);
        uh_wipe(&typed, sizeof typed);
        if (tried == UH_OK)
            tried = uh_setup_load(&setup, &store);
        uh_console_tried(&console, tried);
    }
}

/* connect_to sets the stream up. Without a CA there is nobody to trust, and without TLS nothing is sent. */
static bool connect_to(void) {
    static char host[128];
    uint32_t port = 443;
    if (strncmp(setup.server, "wss://", 6) != 0 || strlen(setup.server) - 6 >= sizeof host)
        return false;
    strcpy(host, setup.server + 6);
    char *colon = strchr(host, ':');
    if (colon != NULL) {
        *colon = '\0';
        port = 0;
        for (const char *c = colon + 1; *c >= '0' && *c <= '9' && port < 65536; c++)
            port = port * 10 + (uint32_t)(*c - '0');
    }
    uh_status got = port > 0 && port < 65536 ? stream_to(host, (uint16_t)port, setup.ca) : UH_INVALID;
    if (got != UH_OK)
        say("no connection can be made to this server", uh_status_text(got));
    return got == UH_OK;
}

static bool claim(const uh_stream *stream) {
    uh_claim c = {setup.server + 6, setup.token, stream, &store, &randomness, (char *)tx, sizeof tx};
    uint64_t late = chip_uptime_ms() + SETUP_MS;
    for (uint32_t wait_ms = 500;; wait_ms = wait_ms < 15000 ? 2 * wait_ms : 30000) {
        uh_status got = uh_claim_key(&c, 10000, key);
        say("claim", uh_status_text(got));
        if (got == UH_OK)
            return true;
        if (got == UH_REFUSED || got == UH_INVALID || chip_uptime_ms() + wait_ms > late)
            return false;
        chip_nap(wait_ms);
    }
}

/* set_up has the device set up, unless it is, and gets its key. */
static uh_status set_up(const uh_stream *stream) {
    size_t n;
    for (;;) {
        UH_TRY(uh_setup_load(&setup, &store));
        hear_console();
        uh_status found = store.load(store.ctx, "key", key, sizeof key - 1, &n);
        if (found != UH_OK && found != UH_MISSING)
            return found; /* a flash that cannot be read is no reason to forget */
        bool known = found == UH_OK;
        bool there = net_join(setup.ssid, setup.password, known ? 0 : SETUP_MS);
        if (connect_to() && (known || there) && claim(stream))
            return UH_OK;
        UH_TRY(uh_setup_forget(&store));
    }
}

static void hear(void *ctx, uh_event event, int code) {
    static const char *const names[] = {"online", "offline", "shut out", "command", "refused", "flash"};
    char digits[12];
    size_t n = sizeof digits;
    (void)ctx;
    digits[--n] = '\0';
    unsigned left = code < 0 ? 0u - (unsigned)code : (unsigned)code;
    do
        digits[--n] = (char)('0' + left % 10);
    while ((left /= 10) > 0);
    if (code < 0)
        digits[--n] = '-';
    say(names[event], digits + n);
}

/* run runs the device until it is reset, or starts another image. */
static void run(void) {
    while (!restarts && !uh_reset_due(&reset, &session)) {
        uint32_t idle = uh_session_step(&session, 500);
        uh_updater_watch(&updater, CONFIRM_MS);
        if (idle > 0)
            chip_nap(idle);
    }
    bool forget = uh_reset_due(&reset, &session);
    uh_session_leave(&session, forget ? "reset" : "update", forget ? 0 : 60);
    if (forget && uh_reset_run(&reset) != UH_OK)
        say("reset", "it goes on after the restart");
}

static uh_status begin(const uh_stream *stream) {
    static uh_action actions[1];
    actions[0] = uh_reset_action(&reset);
    UH_TRY(open_flash());
    UH_TRY(open_board());
    UH_TRY(set_up(stream));
    UH_TRY(open_core());
    return uh_session_init(&session, &(uh_session_options){
        .host = setup.server + 6, .path = "/ws", .key = key, .model = UNHIDRA_PRODUCT, .version = UNHIDRA_VERSION,
        .batch_ms = 5000, .stream = stream, .clock = &clock, .random = &randomness, .sensors = &sensors,
        .outbox = &outbox, .commands = &commands, .updater = &updater, .actions = actions, .action_count = 1,
        .rx = rx, .rx_cap = sizeof rx, .tx = tx, .tx_cap = sizeof tx, .scratch = scratch,
        .scratch_cap = sizeof scratch, .spread_ms = 10000, .hear = hear});
}

void unhidra_main(void) {
    static uh_stream stream;
    stream = stream_port();
    say("starts", UNHIDRA_PRODUCT " " UNHIDRA_VERSION);
    uh_status got = begin(&stream);
    if (got == UH_OK)
        run();
    else
        say("the device does not start", uh_status_text(got));
    /* An image that was not confirmed is taken back at the next start. */
    chip_nap(1000);
    chip_restart();
}
