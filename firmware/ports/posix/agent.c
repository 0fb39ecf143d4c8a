/* unhidra-agent is a device as a Linux process: the core of the firmware with files as its flash.
 *
 *     unhidra-agent --server wss://chat.example.org:443 --ca ca.pem --key-file key --dir /var/lib/unhidra-agent
 *     unhidra-agent --setup setup.json --dir /var/lib/unhidra-agent
 *     unhidra-agent --console Home --dir /var/lib/unhidra-agent
 *
 * With the second, it gets its key by a claim token, as a device that is set up: see unhidra/claim.h. With the third,
 * its standard input and output are its serial line, by which it is set up (unhidra/setup.h); Home is the only network
 * that there is. The signal USR1 is a button that is held: a factory reset.
 *
 * It measures the load of the machine, and has a lamp that can be switched. It prints a line for each thing that
 * happens.
 */
#define _DEFAULT_SOURCE
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "posix.h"
#include "psa_crypto.h"
#include "unhidra/claim.h"
#include "unhidra/reset.h"
#include "unhidra/setup.h"

enum { LOG_SIZE = 256 * 1024, URGENT_SIZE = 16 * 1024, SLOT_SIZE = 64 * 1024, SLOT_MOST = 8 << 20 };
enum { RESTART = 97, CRASH = 98, REFUSED = 96 };

static struct {
    const char *server, *ca, *key_file, *setup, *console, *dir, *root, *image;
    uint32_t base_ms, cap_ms, spread_ms, period_ms, batch_ms, log_size, slot_size, confirm_ms, failsafe_ms;
    long samples; /* how many are taken of the counter */
    long from;    /* what it begins after */
} options = {.spread_ms = 10000, .period_ms = 10000, .batch_ms = 1000, .log_size = LOG_SIZE, .slot_size = SLOT_SIZE,
             .confirm_ms = 60000, .failsafe_ms = 300000};

static volatile sig_atomic_t stop, button;

static void on_signal(int n) {
    if (n == SIGUSR1)
        button = 1;
    else
        stop = 1;
}

static long taken;
static int64_t lamp;

/* sample counts the times that it was asked: so a test sees each reading that is lost or comes twice. */
static uh_status sample(void *ctx, int64_t *v) {
    (void)ctx;
    if (taken >= options.samples)
        return UH_MISSING;
    *v = options.from + ++taken;
    return UH_OK;
}

static uh_status load(void *ctx, int64_t *v) {
    double one;
    (void)ctx;
    if (getloadavg(&one, 1) != 1)
        return UH_IO;
    *v = (int64_t)(one * 100);
    return UH_OK;
}

static uh_status lamp_state(void *ctx, int64_t *v) {
    (void)ctx;
    *v = lamp;
    return UH_OK;
}

static uh_status switch_lamp(void *ctx, uh_slice args, char answer[UH_COMMAND_ANSWER]) {
    uh_slice v;
    bool on;
    (void)ctx;
    if (uh_json_get(args, "on", &v) != UH_OK || uh_json_read_bool(v, &on) != UH_OK) {
        strcpy(answer, "on is true or false");
        return UH_INVALID;
    }
    lamp = on;
    strcpy(answer, on ? "{\"lamp\":\"on\"}" : "{\"lamp\":\"off\"}");
    return UH_OK;
}

static void hear(void *ctx, uh_event event, int code) {
    static const char *const names[] = {"online", "offline", "shut out", "command", "refused", "flash"};
    (void)ctx;
    printf("%s %d\n", names[event], code);
    fflush(stdout);
}

static int usage(void) {
    fprintf(stderr, "usage: unhidra-agent --server ws[s]://HOST:PORT [--ca FILE] --key-file FILE --dir FOLDER\n"
                    "       unhidra-agent --setup FILE --dir FOLDER\n"
                    "       unhidra-agent --console NETWORK [--failsafe MS] --dir FOLDER\n"
                    "  [--period MS] [--batch MS] [--samples N] [--from N] [--base MS] [--cap MS] [--spread MS]\n"
                    "  [--log BYTES] [--power BYTES] [--root FILE --image FILE [--confirm MS] [--slot BYTES]]\n");
    return 2;
}

static bool number(const char *text, long *v) {
    char *end;
    *v = strtol(text, &end, 10);
    return *text != '\0' && *end == '\0' && *v >= 0 && *v <= 1L << 30;
}

static bool parse(int argc, char **argv) {
    struct {
        const char *name;
        const char **text;
        uint32_t *v;
    } known[] = {
        {"--server", &options.server, NULL}, {"--ca", &options.ca, NULL}, {"--key-file", &options.key_file, NULL},
        {"--setup", &options.setup, NULL},   {"--console", &options.console, NULL},
        {"--failsafe", NULL, &options.failsafe_ms},
        {"--dir", &options.dir, NULL},       {"--period", NULL, &options.period_ms},
        {"--base", NULL, &options.base_ms},  {"--batch", NULL, &options.batch_ms},
        {"--cap", NULL, &options.cap_ms},    {"--spread", NULL, &options.spread_ms},
        {"--root", &options.root, NULL},     {"--log", NULL, &options.log_size},
        {"--image", &options.image, NULL},   {"--confirm", NULL, &options.confirm_ms},
        {"--slot", NULL, &options.slot_size}};
    for (int i = 1; i + 1 < argc; i += 2) {
        long v = 0;
        bool found = false;
        for (size_t k = 0; k < sizeof known / sizeof *known && !found; k++) {
            found = strcmp(argv[i], known[k].name) == 0;
            if (found && known[k].text != NULL)
                *known[k].text = argv[i + 1];
            else if (found && number(argv[i + 1], &v))
                *known[k].v = (uint32_t)v;
            else if (found)
                return false;
        }
        if (!found && strcmp(argv[i], "--samples") == 0 && number(argv[i + 1], &options.samples))
            continue;
        if (!found && strcmp(argv[i], "--from") == 0 && number(argv[i + 1], &options.from))
            continue;
        if (!found && strcmp(argv[i], "--power") == 0 && number(argv[i + 1], &v)) {
            posix_power_after(v);
            continue;
        }
        if (!found)
            return false;
    }
    bool known_server = options.server != NULL && options.key_file != NULL;
    int ways = known_server + (options.setup != NULL) + (options.console != NULL);
    bool slots = options.slot_size > 0 && options.slot_size <= SLOT_MOST && options.slot_size % UH_SECTOR == 0;
    return argc % 2 == 1 && options.dir != NULL && ways == 1 && slots;
}

/* read_line reads the first line of a file. */
static bool read_line(const char *path, char *b, int cap) {
    FILE *f = fopen(path, "r");
    if (f == NULL || fgets(b, cap, f) == NULL) {
        fprintf(stderr, "%s cannot be read\n", path);
        if (f != NULL)
            fclose(f);
        return false;
    }
    fclose(f);
    b[strcspn(b, "\r\n")] = '\0';
    return true;
}

static void nap(uint32_t ms) {
    struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};
    nanosleep(&t, NULL);
}

/* What the device was given when it was set up. */
static uh_setup setup;

/* trust writes down whom the device trusts, and where its server is. */
static bool trust(void) {
    static char ca[512];
    options.server = setup.server;
    options.ca = NULL;
    if (setup.ca[0] == '\0')
        return true;
    snprintf(ca, sizeof ca, "%s/ca.pem", options.dir);
    FILE *f = fopen(ca, "w");
    bool written = f != NULL && fputs(setup.ca, f) >= 0;
    options.ca = ca;
    return f != NULL && fclose(f) == 0 && written;
}

/* read_setup reads it from a file. */
static bool read_setup(void) {
    static char json[4096];
    FILE *f = fopen(options.setup, "r");
    size_t n = f != NULL ? fread(json, 1, sizeof json, f) : 0;
    if (f != NULL)
        fclose(f);
    uh_status got = uh_setup_read((uh_slice){json, n}, &setup);
    if (got == UH_OK && setup.server[0] == '\0')
        got = UH_MISSING;
    if (got != UH_OK) {
        fprintf(stderr, "%s: %s\n", options.setup, uh_status_text(got));
        return false;
    }
    return trust();
}

/* claim gets the device its key. Who set it up waits: it asks again soon, and for as long as the token may be good, or
 * within_ms. */
static uh_status claim(const char *authority, const uh_stream *stream, const uh_random *random, uint32_t within_ms,
                       char *key) {
    static char b[2048];
    uh_store store = posix_store(options.dir);
    uh_clock clock = posix_clock();
    uh_claim c = {authority, setup.token, stream, &store, random, b, sizeof b};
    uint64_t late = clock.uptime_ms(NULL) + within_ms;
    uint32_t wait_ms = options.base_ms != 0 ? options.base_ms : 500;
    while (!stop) {
        uh_status got = uh_claim_key(&c, 10000, key);
        printf("claim: %s\n", uh_status_text(got));
        fflush(stdout);
        if (got == UH_OK || got == UH_REFUSED || got == UH_INVALID)
            return got;
        if (clock.uptime_ms(NULL) + wait_ms > late)
            return UH_REFUSED;
        nap(wait_ms);
        wait_ms = wait_ms < 15000 ? 2 * wait_ms : 30000;
    }
    return UH_CLOSED;
}

/* split takes a server's address apart: ws[s]://HOST:PORT. */
static bool split(const char *url, bool *tls, char *host, char *port) {
    *tls = strncmp(url, "wss://", 6) == 0;
    if (!*tls && strncmp(url, "ws://", 5) != 0)
        return false;
    url += *tls ? 6 : 5;
    return sscanf(url, "%127[^:/]:%7[0-9]", host, port) == 2;
}

static void line_out(void *ctx, const void *b, size_t n) {
    (void)ctx;
    fwrite(b, 1, n, stdout);
    fflush(stdout);
}

/* hear_console waits until the setup has come by the console, with a network that there is. */
static bool hear_console(const uh_store *store) {
    static uh_console console;
    static uh_setup given;
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    uint8_t b;
    console = (uh_console){.write = line_out, .firmware = "unhidra-agent", .version = "1.0.0", .chip = "Linux",
                           .setup = &given, .joined = setup.ssid[0] != '\0'};
    printf("waits to be set up\n");
    fflush(stdout);
    while (!stop) {
        if (poll(&in, 1, 100) <= 0)
            continue;
        if (read(STDIN_FILENO, &b, 1) != 1)
            return false; /* nobody can set it up any more */
        if (!uh_console_feed(&console, b))
            continue;
        uh_status tried = given.ssid[0] == '\0' || strcmp(given.ssid, options.console) == 0 ? UH_OK : UH_MISSING;
        if (tried == UH_OK)
            tried = uh_setup_save(&given, store);
        uh_wipe(&given, sizeof given);
        if (tried == UH_OK)
            tried = uh_setup_load(&setup, store);
        uh_console_tried(&console, tried);
        if (tried == UH_OK && setup.ssid[0] != '\0' && setup.server[0] != '\0')
            return true;
    }
    return false;
}

/* set_up has the device set up, unless it is, and gets its key. What has not led to a key within the time of the
 * fail-safe timer, or is refused, is forgotten, and the device waits again. */
static bool set_up(const uh_random *random, char *key) {
    uh_store store = posix_store(options.dir);
    uh_status got = uh_setup_load(&setup, &store);
    while (got == UH_OK && !stop) {
        char host[128], port[8], authority[140];
        bool tls;
        if ((setup.ssid[0] == '\0' || setup.server[0] == '\0') && !hear_console(&store))
            return false;
        posix_stream *connection = NULL;
        if (trust() && split(setup.server, &tls, host, port) && (!tls || options.ca != NULL))
            connection = posix_stream_new(host, port, tls, options.ca);
        got = UH_REFUSED;
        if (connection != NULL) {
            uh_stream stream = posix_stream_port(connection);
            snprintf(authority, sizeof authority, "%s:%s", host, port);
            got = claim(authority, &stream, random, options.failsafe_ms, key);
            posix_stream_free(connection);
        }
        if (got == UH_OK)
            return true;
        if (got == UH_REFUSED || got == UH_INVALID) {
            (void)uh_setup_forget(&store);
            got = uh_setup_load(&setup, &store);
        }
    }
    return false;
}

/* What outlasts a restart. */
static struct {
    uh_store store;
    uh_flash flash, urgent_flash;
    uh_ring ring, urgent_ring;
    uh_outbox outbox, urgent;
    uh_commands commands;
} memory;

/* open_log opens a log in a flash, in a boot of its own. */
static uh_status open_log(const uh_flash *flash, uh_ring_policy policy, const uh_sensors *sensors,
                          const uh_random *random, uh_ring *ring, uh_outbox *outbox) {
    uint64_t boot;
    UH_TRY(uh_ring_open(ring, flash, policy));
    UH_TRY(uh_outbox_next_boot(&memory.store, random, &boot));
    return uh_outbox_open(outbox, ring, sensors, boot);
}

/* The logs as flashes, for a factory reset. */
static const uh_flash *const logs[] = {&memory.flash, &memory.urgent_flash};
static uh_reset reset = {.store = &memory.store, .logs = logs, .count = 2};

static uh_status open_flash(uh_flash *flash, const char *file, uint32_t size) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", options.dir, file);
    return posix_flash_open(flash, path, size);
}

/* open_store opens what a factory reset forgets, and ends one during which the power went. */
static uh_status open_store(void) {
    (void)mkdir(options.dir, 0700);
    memory.store = posix_store(options.dir);
    UH_TRY(open_flash(&memory.flash, "log", options.log_size));
    UH_TRY(open_flash(&memory.urgent_flash, "urgent", URGENT_SIZE));
    return uh_reset_finish(&reset);
}

static uh_status open_memory(const uh_sensors *sensors, const uh_random *random) {
    UH_TRY(open_log(&memory.flash, UH_KEEP_NEWEST, sensors, random, &memory.ring, &memory.outbox));
    UH_TRY(open_log(&memory.urgent_flash, UH_KEEP_OLDEST, sensors, random, &memory.urgent_ring, &memory.urgent));
    return uh_commands_open(&memory.commands, &memory.store);
}

static uh_board board;
static uh_updater updater;

/* open_updater makes the process a board that is updated. */
static uh_status open_updater(const uh_clock *clock, const uh_random *random, uint8_t *rx, size_t rx_cap) {
    static uh_crypto crypto;
    char path[512], root[4096];
    FILE *f = fopen(options.root, "rb");
    size_t n = f != NULL ? fread(root, 1, sizeof root, f) : 0;
    if (f != NULL)
        fclose(f);
    snprintf(path, sizeof path, "%s/flash", options.dir);
    UH_TRY(uh_psa_crypto(&crypto));
    UH_TRY(posix_board_open(&board, path, options.slot_size, options.image, &crypto));
    printf("runs %s %u\n", board.running.version, (unsigned)board.running.version_code);
    fflush(stdout);
    if (strcmp(posix_board_does(), "crashes") == 0)
        exit(CRASH);
    return uh_updater_open(&updater, &board, &crypto, &memory.store, clock, random, (uh_slice){root, n}, rx, rx_cap);
}

/* run runs the device until it is stopped, or must be restarted. */
static int run(uh_session *session) {
    bool forget = false;
    while (!stop && !forget && !posix_board_restarts()) {
        uint32_t idle = uh_session_step(session, 1000);
        if (options.root != NULL)
            uh_updater_watch(&updater, options.confirm_ms);
        reset.wanted = reset.wanted || button;
        forget = uh_reset_due(&reset, session);
        if (idle > 0 && !stop && !forget && !button)
            nap(idle);
    }
    uh_session_leave(session, forget ? "reset" : posix_board_restarts() ? "update" : "off",
                     posix_board_restarts() && !forget ? 60 : 0);
    if (forget) {
        uh_status got = uh_reset_run(&reset);
        printf("reset: %s\n", uh_status_text(got));
    }
    return forget || posix_board_restarts() ? RESTART : 0;
}

/* deaf_open is the connection of an image that never reaches its server. */
static uh_status deaf_open(void *ctx) {
    (void)ctx;
    return UH_IO;
}

static int fail(const char *what, uh_status s) {
    fprintf(stderr, "%s: %s\n", what, uh_status_text(s));
    return 1;
}

/* options_good reads the options, and what they name; from the console, what the device is told. 0: all is there. */
static int options_good(int argc, char **argv, bool *tls, char *host, char *port, char *key) {
    if (!parse(argc, argv))
        return usage();
    uh_status opened = open_store();
    if (opened != UH_OK)
        return fail(options.dir, opened);
    if (options.setup != NULL && !read_setup())
        return 1;
    uh_random random = posix_random();
    if (options.console != NULL && !set_up(&random, key))
        return stop ? 0 : REFUSED;
    if (!split(options.server, tls, host, port) || (*tls && options.ca == NULL) ||
        (options.root == NULL) != (options.image == NULL))
        return usage();
    return 0;
}

int main(int argc, char **argv) {
    static char host[128], port[8], authority[140], key[128];
    static uint8_t rx[16384], tx[4096], scratch[4096];
    static uh_session session;
    static uh_sensor_state states[3];
    bool tls;
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    signal(SIGUSR1, on_signal);
    int wrong = options_good(argc, argv, &tls, host, port, key);
    if (wrong != 0 || options.server == NULL || stop)
        return wrong;
    if (options.key_file != NULL && !read_line(options.key_file, key, sizeof key))
        return 1;
    snprintf(authority, sizeof authority, "%s:%s", host, port);
    posix_stream *connection = posix_stream_new(host, port, tls, options.ca);
    if (connection == NULL)
        return 1;
    uh_stream stream = posix_stream_port(connection);
    uh_clock clock = posix_clock();
    uh_random random = posix_random();
    if (options.setup != NULL && claim(authority, &stream, &random, UINT32_MAX, key) != UH_OK)
        return REFUSED; /* it must be set up again */
    const uh_sensor list[] = {
        {.id = 1, .kind = UH_NUMBER, .name = "samples", .period_ms = options.period_ms, .read = sample},
        {.id = 2, .kind = UH_NUMBER, .decimals = 2, .name = "load", .period_ms = 10000, .deadband = 5,
         .silence_ms = 600000, .read = load},
        {.id = 3, .kind = UH_BOOL, .name = "lamp", .urgent = true, .period_ms = 100, .deadband = 1,
         .read = lamp_state},
    };
    const uh_action actions[] = {
        {.name = "lamp", .args = "[{\"name\":\"on\",\"kind\":\"bool\",\"required\":true}]", .run = switch_lamp},
        uh_reset_action(&reset)};
    uh_sensors sensors = {list, states, 3};
    if (options.samples == 0)
        sensors = (uh_sensors){list + 1, states, 2};
    uh_status s = open_memory(&sensors, &random);
    if (s == UH_OK && options.root != NULL)
        s = open_updater(&clock, &random, rx, sizeof rx);
    if (s != UH_OK)
        return fail(options.dir, s);
    if (options.root != NULL && strcmp(posix_board_does(), "deaf") == 0)
        stream.open = deaf_open;
    s = uh_session_init(&session, &(uh_session_options){
        .host = authority, .path = "/ws", .key = key, .model = "unhidra-agent", .version = "1.0.0",
        .batch_ms = options.batch_ms, .stream = &stream, .clock = &clock, .random = &random, .sensors = &sensors,
        .outbox = &memory.outbox, .urgent = &memory.urgent, .commands = &memory.commands,
        .updater = options.root != NULL ? &updater : NULL, .actions = actions,
        .action_count = options.console != NULL ? 2 : 1,
        .rx = rx, .rx_cap = sizeof rx, .tx = tx, .tx_cap = sizeof tx, .scratch = scratch, .scratch_cap = sizeof scratch,
        .spread_ms = options.spread_ms, .hear = hear});
    if (s != UH_OK)
        return fail("the options", s);
    session.backoff.base_ms = options.base_ms;
    session.backoff.cap_ms = options.cap_ms;
    int code = run(&session);
    posix_stream_free(connection);
    return code;
}
