#include <string.h>

#include "unhidra/json.h"
#include "unhidra/setup.h"

/* A packet of Improv: "IMPROV", version, kind, length, data, and the sum of all that. */
enum { MARK = 6, HEAD = MARK + 3, VERSION = 1 };
enum { STATE = 1, FAILED = 2, COMMAND = 3, RESULT = 4 };
enum { JOIN = 1, ASK_STATE = 2, ASK_DEVICE = 3 };
enum { AUTHORIZED = 2, PROVISIONING = 3, PROVISIONED = 4 };
enum { NO_ERROR = 0, BAD_PACKET = 1, UNKNOWN_COMMAND = 2, NOT_JOINED = 3 };

static const char mark[] = "IMPROV";

static uint8_t sum(const uint8_t *b, size_t n) {
    uint8_t v = 0;
    while (n > 0)
        v = (uint8_t)(v + b[--n]);
    return v;
}

static void packet(const uh_console *c, uint8_t kind, const uint8_t *data, size_t n) {
    uint8_t b[HEAD + 255 + 2];
    memcpy(b, mark, MARK);
    b[MARK] = VERSION;
    b[MARK + 1] = kind;
    b[MARK + 2] = (uint8_t)n;
    if (n > 0)
        memcpy(b + HEAD, data, n);
    b[HEAD + n] = sum(b, HEAD + n);
    b[HEAD + n + 1] = '\n';
    c->write(c->ctx, b, HEAD + n + 2);
}

static void say(const uh_console *c, uint8_t kind, uint8_t value) { packet(c, kind, &value, 1); }

static void say_state(const uh_console *c) { say(c, STATE, c->joined ? PROVISIONED : AUTHORIZED); }

/* result answers a command with texts. */
static void result(const uh_console *c, uint8_t command, const char *const *texts, size_t count) {
    enum { TEXT = 60 };
    uint8_t b[2 + 4 * (TEXT + 1)];
    size_t n = 2;
    for (size_t i = 0; i < count; i++) {
        size_t len = texts[i] != NULL ? strlen(texts[i]) : 0;
        len = len < TEXT ? len : TEXT;
        b[n++] = (uint8_t)len;
        if (len > 0)
            memcpy(b + n, texts[i], len);
        n += len;
    }
    b[0] = command;
    b[1] = (uint8_t)(n - 2);
    packet(c, RESULT, b, n);
}

/* take reads a text with its length before it. */
static bool take(const uint8_t *b, size_t n, size_t *at, char *out, size_t cap) {
    if (*at >= n || b[*at] > n - *at - 1 || b[*at] >= cap)
        return false;
    size_t len = b[(*at)++];
    memcpy(out, b + *at, len);
    out[len] = '\0';
    *at += len;
    return strlen(out) == len;
}

/* join reads the network. */
static bool join(uh_console *c, const uint8_t *b, size_t n) {
    uh_setup *s = c->setup;
    size_t at = 0;
    memset(s, 0, sizeof *s);
    if (!take(b, n, &at, s->ssid, sizeof s->ssid) || !take(b, n, &at, s->password, sizeof s->password) || at != n ||
        s->ssid[0] == '\0') {
        uh_wipe(s, sizeof *s);
        say(c, FAILED, BAD_PACKET);
        return false;
    }
    c->improv = true;
    say(c, FAILED, NO_ERROR);
    say(c, STATE, PROVISIONING);
    return true;
}

/* command does what a packet asks for, which is whole. */
static bool command(uh_console *c, const uint8_t *b, size_t n) {
    const char *const about[] = {c->firmware, c->version, c->chip, c->name};
    const uint8_t *data = b + HEAD;
    size_t len = n - HEAD - 1;
    if (sum(b, n - 1) != b[n - 1] || b[MARK] != VERSION || b[MARK + 1] != COMMAND || len < 2 || data[1] != len - 2) {
        say(c, FAILED, BAD_PACKET);
        return false;
    }
    switch (data[0]) {
    case JOIN:
        return join(c, data + 2, len - 2);
    case ASK_STATE:
        say_state(c);
        if (c->joined)
            result(c, JOIN, NULL, 0);
        return false;
    case ASK_DEVICE:
        result(c, ASK_DEVICE, about, 4);
        return false;
    default:
        say(c, FAILED, UNKNOWN_COMMAND);
        return false;
    }
}

static void answer(const uh_console *c, uh_status what) {
    char b[120];
    uh_json w;
    uh_json_begin(&w, b, sizeof b - 1);
    uh_json_open(&w, NULL, '{');
    uh_json_bool(&w, "ok", what == UH_OK);
    if (what != UH_OK)
        uh_json_text(&w, "error", uh_status_text(what));
    uh_json_close(&w, '}');
    b[w.len] = '\n';
    c->write(c->ctx, b, w.len + 1);
}

/* end_line takes a whole line. */
static bool end_line(uh_console *c) {
    uh_status got = c->over ? UH_SPACE : uh_setup_read((uh_slice){c->line, c->n}, c->setup);
    uh_wipe(c->line, c->n);
    c->n = 0;
    c->improv = c->over = false;
    if (got != UH_OK)
        answer(c, got);
    return got == UH_OK;
}

bool uh_console_feed(uh_console *c, uint8_t b) {
    if (c->n > 0 && c->line[0] == '{') {
        if (b == '\n')
            return end_line(c);
        c->over = c->over || c->n == sizeof c->line;
        if (!c->over)
            c->line[c->n++] = (char)b;
        return false;
    }
    if (c->n < MARK && b != (uint8_t)mark[c->n])
        c->n = 0; /* what is no packet: another one, or a line, may begin here */
    if (c->n == 0 && b != '{' && b != (uint8_t)mark[0])
        return false;
    c->line[c->n++] = (char)b;
    const uint8_t *p = (const uint8_t *)c->line;
    size_t n = c->n;
    if (p[0] == '{' || n <= HEAD || n < (size_t)HEAD + p[HEAD - 1] + 1)
        return false;
    c->n = 0;
    bool given = command(c, p, n);
    uh_wipe(c->line, n);
    return given;
}

void uh_console_tried(uh_console *c, uh_status what) {
    c->joined = what == UH_OK;
    if (!c->improv) {
        answer(c, what);
        return;
    }
    if (what != UH_OK)
        say(c, FAILED, NOT_JOINED);
    say_state(c);
    if (what == UH_OK)
        result(c, JOIN, NULL, 0);
}
