#include "test.h"
#include "unhidra/ws.h"

/* The nonce and the answer to it of RFC 6455, section 1.3. */
static const uint8_t nonce[] = "the sample nonce";
#define ANSWER                                                         \
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\n"       \
    "Connection: keep-alive, Upgrade\r\nSec-WebSocket-Protocol: device\r\n" \
    "sec-websocket-accept:  s3pPLMBiTxaQ9kYGzzhZRbK+xOo= \r\n"

static void handshake(void) {
    char b[512];
    size_t n;
    uh_ws_response r;
    CHECK(uh_ws_request("chat.example.org:9000", "/ws", "dk_abc", nonce, b, sizeof b, &n) == UH_OK);
    CHECK_TEXT(b, n,
               "GET /ws HTTP/1.1\r\nHost: chat.example.org:9000\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
               "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: device, dk_abc\r\n"
               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    for (size_t cap = 0; cap < n; cap++)
        CHECK(uh_ws_request("chat.example.org:9000", "/ws", "dk_abc", nonce, b, cap, &n) == UH_SPACE);
    CHECK(uh_ws_request("a", "/ws", "dk_a\r\nX: 1", nonce, b, sizeof b, &n) == UH_INVALID);
    CHECK(uh_ws_request("a", "ws", "dk_a", nonce, b, sizeof b, &n) == UH_INVALID);
    const char *good = ANSWER "\r\n\x81";
    for (size_t cut = 0; cut + 1 < strlen(good); cut++)
        CHECK(uh_ws_read_response(good, cut, nonce, &r) == UH_AGAIN);
    CHECK(uh_ws_read_response(good, strlen(good), nonce, &r) == UH_OK && r.size == strlen(good) - 1);
    const char *no = "HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n";
    CHECK(uh_ws_read_response(no, strlen(no), nonce, &r) == UH_REFUSED && r.status == 503 && r.retry_after == 7);
    static const char *const bad[] = {
        "HTTP/1.0 101 x\r\n\r\n", "SSH-2.0-x\r\n", "HTTP/1.1 abc x\r\n\r\n", "HTTP/1.1 101 x\r\nno colon\r\n\r\n",
        "HTTP/1.1 101 x\r\n\r\n", ANSWER "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
        ANSWER "Sec-WebSocket-Protocol: dk_abc\r\n\r\n",
        ANSWER "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n",
        ANSWER "Upgrade: h2c\r\n\r\n", ANSWER "Connection: close\r\n\r\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(uh_ws_read_response(bad[i], strlen(bad[i]), nonce, &r) == UH_PROTOCOL);
}

/* What is sealed is what RFC 6455, section 5.7, has as an example; longer ones have two bytes for their length. */
static void seals(void) {
    static const uint8_t want[] = {0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58};
    static uint8_t b[UH_WS_HEAD + 200];
    size_t start, total;
    memcpy(b + UH_WS_HEAD, "Hello", 5);
    CHECK(uh_ws_seal(b, 5, UH_WS_TEXT, want + 2, &start, &total) == UH_OK);
    CHECK(total == sizeof want && memcmp(b + start, want, total) == 0);
    CHECK(uh_ws_seal(b, 126, UH_WS_PING, want, &start, &total) == UH_SPACE);
    CHECK(uh_ws_seal(b, 65536, UH_WS_TEXT, want, &start, &total) == UH_SPACE);
    CHECK(uh_ws_seal(b, 200, UH_WS_TEXT, want + 2, &start, &total) == UH_OK);
    CHECK(start == 0 && total == 208 && b[1] == 0xFE && b[2] == 0 && b[3] == 200);
}

/* A stream with every kind of frame is understood alike however the network cuts it. */
static void receives(void) {
    static const char in[] = "\x81\x05Hello"
                             "\x01\x02\xC3\xA9" "\x89\x02hi" "\x00\x01\xC3" "\x80\x02\xA9!"
                             "\x81\x00"
                             "\x8A\x00"
                             "\x81\x7E\x00\x80"
                             "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
                             "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
                             "\x88\x06\x10\x04later";
    static const char want[] = "T5 P T5 T0 p T20! C4100 ";
    for (size_t step = 1; step < sizeof in; step++) {
        uint8_t b[20];
        char got[64] = "";
        uh_ws_receiver r;
        uh_ws_receive(&r, b, sizeof b);
        for (size_t at = 0; at < sizeof in - 2;) {
            size_t used, n = sizeof in - 2 - at;
            uh_ws_event e;
            CHECK(uh_ws_feed(&r, (const uint8_t *)in + at, n < step ? n : step, &used, &e) == UH_OK);
            at += used;
            size_t len = strlen(got);
            if (e == UH_WS_GOT_TEXT)
                snprintf(got + len, sizeof got - len, "T%zu%s ", r.len, r.truncated ? "!" : "");
            else if (e == UH_WS_GOT_CLOSE)
                snprintf(got + len, sizeof got - len, "C%d ", uh_ws_close_code(&r));
            else if (e != UH_WS_NOTHING)
                strcat(got, e == UH_WS_GOT_PING ? "P " : "p ");
        }
        CHECK_TEXT(got, strlen(got), want);
    }
}

static void refuses(void) {
    static const struct {
        const char *b;
        size_t n;
        uh_status want;
    } bad[] = {
        {"\x81\x85", 2, UH_PROTOCOL},                     /* masked */
        {"\xC1\x00", 2, UH_PROTOCOL},                     /* a bit of an extension */
        {"\x82\x00", 2, UH_PROTOCOL},                     /* binary */
        {"\x83\x00", 2, UH_PROTOCOL},                     /* reserved */
        {"\x8B\x00", 2, UH_PROTOCOL},                     /* reserved */
        {"\x09\x00", 2, UH_PROTOCOL},                     /* a ping in parts */
        {"\x89\x7E\x00\x7E", 4, UH_PROTOCOL},             /* a long ping */
        {"\x80\x00", 2, UH_PROTOCOL},                     /* goes on with nothing */
        {"\x01\x00\x81\x00", 4, UH_PROTOCOL},             /* a text within a text */
        {"\x81\x7E\x00\x7D", 4, UH_PROTOCOL},             /* not the shortest length */
        {"\x81\x7F\x00\x00\x00\x00\x00\x00\xFF\xFF", 10, UH_PROTOCOL},
        {"\x81\x7F\x80\x00\x00\x00\x00\x01\x00\x00", 10, UH_PROTOCOL},
        {"\x88\x01\x03", 3, UH_PROTOCOL},                 /* half a code */
        {"\x81\x01\xFF", 3, UH_SYNTAX},
        {"\x81\x02\xC0\x80", 4, UH_SYNTAX},               /* longer than it must be */
        {"\x81\x03\xED\xA0\x80", 5, UH_SYNTAX},           /* a surrogate */
        {"\x81\x04\xF4\x90\x80\x80", 6, UH_SYNTAX},       /* above U+10FFFF */
        {"\x81\x02\xE2\x82", 4, UH_SYNTAX},               /* cut off */
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint8_t b[16];
        uh_ws_receiver r;
        uh_ws_event e;
        size_t used;
        uh_status got = UH_OK;
        uh_ws_receive(&r, b, sizeof b);
        for (size_t at = 0; at < bad[i].n && got == UH_OK; at += used)
            got = uh_ws_feed(&r, (const uint8_t *)bad[i].b + at, bad[i].n - at, &used, &e);
        CHECK(got == bad[i].want);
    }
}

void test_ws(void) {
    handshake();
    seals();
    receives();
    refuses();
}
