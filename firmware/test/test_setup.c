#include "flash.h"
#include "test.h"
#include "unhidra/setup.h"

static void reading(void) {
    static uh_setup s;
    static char big[UH_SETUP_CA + 100];
    CHECK(uh_setup_read(uh_slice_of("{\"server\":\"wss://a:443\",\"claim\":\"dc_x\",\"ca\":\"a\\nb\"}"), &s) == UH_OK);
    CHECK(strcmp(s.server, "wss://a:443") == 0 && strcmp(s.token, "dc_x") == 0 && strcmp(s.ca, "a\nb") == 0);
    CHECK(uh_setup_read(uh_slice_of("{\"claim\":\"dc_x\",\"server\":\"ws://a:80\"}"), &s) == UH_OK && s.ca[0] == '\0');
    CHECK(uh_setup_read(uh_slice_of("{\"server\":\"wss://a:443\"}"), &s) == UH_MISSING);
    CHECK(uh_setup_read(uh_slice_of("{\"server\":\"wss://a\\r\\nX: 1\",\"claim\":\"dc_x\"}"), &s) == UH_INVALID);
    CHECK(uh_setup_read(uh_slice_of("{\"server\":\"\",\"claim\":\"dc_x\"}"), &s) == UH_INVALID);
    CHECK(uh_setup_read(uh_slice_of("nonsense"), &s) != UH_OK);
    CHECK(uh_setup_read(uh_slice_of("{\"ssid\":\"Home\",\"password\":\"\"}"), &s) == UH_OK && s.password[0] == '\0');
    CHECK(uh_setup_read(uh_slice_of("{\"ssid\":\"Home\",\"password\":\"x\"}"), &s) == UH_OK);
    CHECK(strcmp(s.ssid, "Home") == 0 && strcmp(s.password, "x") == 0 && s.server[0] == '\0');
    CHECK(uh_setup_read(uh_slice_of("{\"password\":\"x\"}"), &s) == UH_MISSING && s.password[0] == '\0');
    CHECK(uh_setup_read(uh_slice_of("{\"ssid\":\"a\\u0000b\"}"), &s) == UH_INVALID && s.ssid[0] == '\0');
    CHECK(uh_setup_read(uh_slice_of("{\"ssid\":\"0123456789012345678901234567890123\"}"), &s) == UH_SPACE);
    memset(big, 'x', sizeof big - 1);
    memcpy(big, "{\"server\":\"a\",\"claim\":\"b\",\"ca\":\"", 32);
    memcpy(big + sizeof big - 3, "\"}", 3);
    CHECK(uh_setup_read(uh_slice_of(big), &s) == UH_SPACE);
}

/* What is stored is what was given; a network alone leaves the server, and a server another key. */
static void keeping(void) {
    static test_values v;
    static uh_setup s, back;
    uh_store store = test_values_make(&v);
    CHECK(uh_setup_load(&back, &store) == UH_OK && back.ssid[0] == '\0' && back.server[0] == '\0');
    CHECK(store.save(store.ctx, "key", "dk_old", 6) == UH_OK && store.save(store.ctx, "nonce", "x", 1) == UH_OK);
    CHECK(uh_setup_read(uh_slice_of("{\"ssid\":\"Home\",\"password\":\"p\"}"), &s) == UH_OK);
    CHECK(uh_setup_save(&s, &store) == UH_OK && test_values_has(&v, "key", "dk_old"));
    CHECK(uh_setup_read(uh_slice_of("{\"server\":\"wss://a:443\",\"claim\":\"dc_x\",\"ca\":\"c\"}"), &s) == UH_OK);
    CHECK(uh_setup_save(&s, &store) == UH_OK && !test_values_has(&v, "key", "dk_old"));
    CHECK(uh_setup_load(&back, &store) == UH_OK && strcmp(back.ssid, "Home") == 0 && strcmp(back.password, "p") == 0);
    CHECK(strcmp(back.server, "wss://a:443") == 0 && strcmp(back.token, "dc_x") == 0 && strcmp(back.ca, "c") == 0);
    CHECK(uh_setup_read(uh_slice_of("{\"ssid\":\"Open\"}"), &s) == UH_OK && uh_setup_save(&s, &store) == UH_OK);
    CHECK(uh_setup_load(&back, &store) == UH_OK && strcmp(back.ssid, "Open") == 0 && back.password[0] == '\0');
    CHECK(uh_setup_forget(&store) == UH_OK && test_values_count(&v) == 0);
    /* The power goes between any two writes: the device has all of the new network, or waits for one. */
    for (long power = 0; power < 12; power++) {
        store = test_values_make(&v);
        CHECK(uh_setup_read(uh_slice_of("{\"ssid\":\"Home\",\"password\":\"p\"}"), &s) == UH_OK);
        CHECK(uh_setup_save(&s, &store) == UH_OK);
        CHECK(uh_setup_read(uh_slice_of("{\"ssid\":\"New\",\"password\":\"q\","
                                        "\"server\":\"wss://b:1\",\"claim\":\"dc\"}"),
                            &s) == UH_OK);
        v.power = power;
        (void)uh_setup_save(&s, &store);
        CHECK(uh_setup_load(&back, &store) == UH_OK);
        CHECK(back.ssid[0] == '\0' || strcmp(back.password, strcmp(back.ssid, "New") == 0 ? "q" : "p") == 0);
        CHECK(back.server[0] == '\0' || strcmp(back.token, "dc") == 0);
    }
}

static struct {
    uint8_t b[1024];
    size_t n;
} said;

static void hear(void *ctx, const void *b, size_t n) {
    (void)ctx;
    if (n <= sizeof said.b - said.n)
        memcpy(said.b + said.n, b, n), said.n += n;
}

static uh_setup given;
static uh_console console;

static void begin(void) {
    memset(&console, 0, sizeof console);
    console = (uh_console){.write = hear, .firmware = "lamp", .version = "1.2.0", .chip = "ESP32-C3", .name = "L1",
                           .setup = &given};
    said.n = 0;
}

/* feed sends bytes, and returns how often a setup came. */
static int feed(const char *b, size_t n) {
    int came = 0;
    for (size_t i = 0; i < n; i++)
        came += uh_console_feed(&console, (uint8_t)b[i]);
    return came;
}

#define FEED(text) feed(text, sizeof(text) - 1)
#define SAID(text)                                                                     \
    do {                                                                               \
        CHECK(said.n == sizeof(text) - 1 && memcmp(said.b, text, sizeof(text) - 1) == 0); \
        said.n = 0;                                                                    \
    } while (0)

/* The packets are those of the examples of improv-wifi.com/serial, with their sums. */
static void improv(void) {
    begin();
    CHECK(FEED("boot: IMPROV\x01\x03\x02\x02\x00\xe5\n") == 0); /* the state */
    SAID("IMPROV\x01\x01\x01\x02\xe2\n");
    CHECK(FEED("IMPROV\x01\x03\x02\x03\x00\xe6") == 0);
    SAID("IMPROV\x01\x04\x19\x03\x17\x04lamp\x05" "1.2.0\x08" "ESP32-C3\x02L1\x2e\n");
    CHECK(FEED("IMPROV\x01\x03\x02\x09\x00\xec") == 0); /* unknown */
    SAID("IMPROV\x01\x02\x01\x02\xe3\n");
    CHECK(FEED("IMPROV\x01\x03\x02\x02\x00\xe4") == 0); /* the sum is wrong */
    SAID("IMPROV\x01\x02\x01\x01\xe2\n");
    CHECK(FEED("IMPIMPROV\x01\x03\x0e\x01\x0c\x04Home\x06secret\x15") == 1); /* after what only begins as one */
    SAID("IMPROV\x01\x02\x01\x00\xe1\nIMPROV\x01\x01\x01\x03\xe3\n");
    CHECK(strcmp(given.ssid, "Home") == 0 && strcmp(given.password, "secret") == 0 && given.server[0] == '\0');
    uh_console_tried(&console, UH_IO);
    SAID("IMPROV\x01\x02\x01\x03\xe4\nIMPROV\x01\x01\x01\x02\xe2\n");
    uh_console_tried(&console, UH_OK);
    SAID("IMPROV\x01\x01\x01\x04\xe4\nIMPROV\x01\x04\x02\x01\x00\xe5\n");
}

static void bad_packets(void) {
    static const struct {
        const char *b;
        size_t n;
    } bad[] = {{"\x01\x03\x02\x01\x00", 5},       /* no network */
               {"\x01\x03\x04\x01\x02\x00\x00", 7}, /* without a name */
               {"\x01\x03\x04\x01\x02\x09H", 7},    /* a text that is longer than the packet */
               {"\x01\x03\x05\x01\x03\x01H\x01", 8}, /* the same of the password */
               {"\x01\x03\x06\x01\x04\x01H\x00x", 9}, /* something after it */
               {"\x01\x03\x03\x01\x09x", 6},       /* two lengths that differ */
               {"\x01\x03\x01\x01", 4},            /* shorter than a command */
               {"\x01\x04\x02\x01\x00", 5},        /* a result */
               {"\x02\x03\x02\x01\x00", 5}};       /* another version */
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint8_t sum = 0xdd; /* of IMPROV */
        begin();
        CHECK(FEED("IMPROV") == 0 && feed(bad[i].b, bad[i].n) == 0);
        for (size_t k = 0; k < bad[i].n; k++)
            sum = (uint8_t)(sum + (uint8_t)bad[i].b[k]);
        CHECK(feed((const char *)&sum, 1) == 0);
        SAID("IMPROV\x01\x02\x01\x01\xe2\n");
    }
}

static void lines(void) {
    begin();
    CHECK(FEED("\r\nlog {\r\n"
               "{\"ssid\":\"Home\",\"password\":\"p\",\"server\":\"wss://a:443\",\"claim\":\"dc_x\"}\r\n") == 1);
    SAID("{\"ok\":false,\"error\":\"this is not JSON, or not of this form\"}\n"); /* to the line of the log */
    CHECK(strcmp(given.ssid, "Home") == 0 && strcmp(given.server, "wss://a:443") == 0);
    uh_console_tried(&console, UH_IO);
    SAID("{\"ok\":false,\"error\":\"the network or the flash failed\"}\n");
    CHECK(FEED("{\"server\":\"wss://a:443\",\"claim\":\"dc_x\"}\n") == 1);
    uh_console_tried(&console, UH_OK);
    SAID("{\"ok\":true}\n");
    CHECK(FEED("{\"ssid\":\"\"}\n") == 0);
    SAID("{\"ok\":false,\"error\":\"an argument is wrong\"}\n");
    CHECK(FEED("{") == 0);
    for (size_t i = 0; i < 2 * sizeof console.line; i++)
        CHECK(FEED("x") == 0);
    CHECK(FEED("\n") == 0);
    SAID("{\"ok\":false,\"error\":\"it does not fit into the buffer\"}\n");
    CHECK(FEED("{\"ssid\":\"Home\"}\n") == 1); /* it goes on */
    for (size_t i = 0; i < sizeof console.line; i++)
        if (console.line[i] == 'H')
            CHECK(false); /* no secret stays */
}

static uh_parts parts;
static uh_slice whole;
static uh_status add(const char *text) { return uh_parts_add(&parts, uh_slice_of(text), &whole); }

/* What does not fit into a characteristic comes in parts, of which one may be missing; bytes of it may look as marks. */
static void in_parts(void) {
    static char big[600];
    static uh_setup s;
    memset(&parts, 0, sizeof parts);
    CHECK(add("{\"ssid\":\"Home\"}") == UH_OK && uh_slice_is(whole, "{\"ssid\":\"Home\"}"));
    CHECK(add("]}") == UH_MISSING && add("+x") == UH_MISSING);
    CHECK(add("[{\"server\":\"wss://a:443\",") == UH_AGAIN && add("+\"claim\":\"dc_x\",\"ca\":\"[") == UH_AGAIN);
    CHECK(add("++]\"") == UH_AGAIN && add("]}") == UH_OK);
    CHECK(uh_setup_read(whole, &s) == UH_OK && strcmp(s.ca, "[+]") == 0);
    CHECK(add("]}") == UH_MISSING); /* it has ended */
    CHECK(add("[lost") == UH_AGAIN && add("[{") == UH_AGAIN && add("]}") == UH_OK && uh_slice_is(whole, "{}"));
    CHECK(add("[lost") == UH_AGAIN && add("{}") == UH_OK && uh_slice_is(whole, "{}") && add("]}") == UH_MISSING);
    CHECK(uh_parts_add(&parts, (uh_slice){"", 0}, &whole) == UH_OK && whole.n == 0);
    memset(big, 'x', sizeof big - 1);
    big[0] = '[';
    for (size_t n = sizeof big - 2;; n += sizeof big - 2, big[0] = '+') {
        uh_status got = add(big);
        if (n > sizeof parts.text) {
            CHECK(got == UH_SPACE);
            break;
        }
        CHECK(got == UH_AGAIN && whole.n == n);
    }
    for (size_t i = 0; i < sizeof parts.text; i++)
        CHECK(parts.text[i] == '\0'); /* no secret stays */
    CHECK(add("]x") == UH_MISSING);
}

void test_setup(void) {
    in_parts();
    reading();
    keeping();
    improv();
    bad_packets();
    lines();
}
