#include <string.h>

#include "unhidra/ws.h"

static uh_status append(char *out, size_t cap, size_t *len, const char *text, size_t n) {
    if (n > cap - *len)
        return UH_SPACE;
    memcpy(out + *len, text, n);
    *len += n;
    return UH_OK;
}

/* is_plain says whether a text can stand in a header: visible ASCII. */
static bool is_plain(const char *text) {
    for (; *text != '\0'; text++)
        if (*text <= ' ' || *text > '~' || *text == ',')
            return false;
    return true;
}

uh_status uh_ws_request(const char *host, const char *path, const char *key, const uint8_t nonce[UH_WS_NONCE],
                        char *out, size_t cap, size_t *len) {
    char encoded[24];
    if (!is_plain(host) || !is_plain(path) || !is_plain(key) || path[0] != '/')
        return UH_INVALID;
    uh_base64(nonce, UH_WS_NONCE, encoded);
    const char *parts[] = {"GET ", path, " HTTP/1.1\r\nHost: ", host,
                           "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                           "Sec-WebSocket-Protocol: device, ", key, "\r\nSec-WebSocket-Key: "};
    *len = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        UH_TRY(append(out, cap, len, parts[i], strlen(parts[i])));
    UH_TRY(append(out, cap, len, encoded, sizeof encoded));
    return append(out, cap, len, "\r\n\r\n", 4);
}

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c; }

/* same compares without regard to case. */
static bool same(uh_slice s, const char *text) {
    if (strlen(text) != s.n)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (lower(s.b[i]) != lower(text[i]))
            return false;
    return true;
}

/* lists says whether a comma-separated list has a word. */
static bool lists(uh_slice s, const char *word) {
    while (s.n > 0) {
        size_t end = 0;
        while (end < s.n && s.b[end] != ',')
            end++;
        uh_slice one = {s.b, end};
        while (one.n > 0 && (one.b[0] == ' ' || one.b[0] == '\t'))
            one = (uh_slice){one.b + 1, one.n - 1};
        while (one.n > 0 && (one.b[one.n - 1] == ' ' || one.b[one.n - 1] == '\t'))
            one.n--;
        if (same(one, word))
            return true;
        end += end < s.n;
        s = (uh_slice){s.b + end, s.n - end};
    }
    return false;
}

typedef struct {
    bool upgrade, connection, accept, protocol, foreign;
} seen;

/* line cuts the next line off; false: it is not whole. */
static bool line(uh_slice *rest, uh_slice *out) {
    for (size_t i = 0; i + 1 < rest->n; i++)
        if (rest->b[i] == '\r' && rest->b[i + 1] == '\n') {
            *out = (uh_slice){rest->b, i};
            *rest = (uh_slice){rest->b + i + 2, rest->n - i - 2};
            return true;
        }
    return false;
}

static uh_status field(uh_slice l, const char *accept, uh_ws_response *r, seen *s) {
    size_t colon = 0;
    while (colon < l.n && l.b[colon] != ':')
        colon++;
    if (colon == 0 || colon == l.n)
        return UH_PROTOCOL;
    uh_slice name = {l.b, colon}, value = {l.b + colon + 1, l.n - colon - 1};
    while (value.n > 0 && (value.b[0] == ' ' || value.b[0] == '\t'))
        value = (uh_slice){value.b + 1, value.n - 1};
    while (value.n > 0 && (value.b[value.n - 1] == ' ' || value.b[value.n - 1] == '\t'))
        value.n--;
    if (same(name, "Upgrade"))
        s->upgrade = same(value, "websocket");
    else if (same(name, "Connection"))
        s->connection = lists(value, "upgrade");
    else if (same(name, "Sec-WebSocket-Accept"))
        s->accept = value.n == 28 && memcmp(value.b, accept, 28) == 0;
    else if (same(name, "Sec-WebSocket-Protocol"))
        s->protocol = uh_slice_is(value, "device");
    else if (same(name, "Sec-WebSocket-Extensions"))
        s->foreign = true; /* none was asked for */
    else if (same(name, "Retry-After")) {
        uint32_t v = 0;
        for (size_t i = 0; i < value.n && value.b[i] >= '0' && value.b[i] <= '9' && v < 100000; i++)
            v = 10 * v + (uint32_t)(value.b[i] - '0');
        r->retry_after = v;
    }
    return UH_OK;
}

/* accept_of is what a server answers to a nonce (RFC 6455, section 4.2.2). */
static void accept_of(const uint8_t nonce[UH_WS_NONCE], char out[28]) {
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    char both[24 + sizeof guid - 1];
    uint8_t hash[UH_SHA1_SIZE];
    uh_base64(nonce, UH_WS_NONCE, both);
    memcpy(both + 24, guid, sizeof guid - 1);
    uh_sha1(both, sizeof both, hash);
    uh_base64(hash, sizeof hash, out);
}

uh_status uh_ws_read_response(const char *b, size_t n, const uint8_t nonce[UH_WS_NONCE], uh_ws_response *r) {
    uh_slice rest = {b, n}, l;
    char accept[28];
    seen s = {0};
    *r = (uh_ws_response){0};
    if (!line(&rest, &l))
        return n >= 9 && memcmp(b, "HTTP/1.1 ", 9) != 0 ? UH_PROTOCOL : UH_AGAIN;
    if (l.n < 12 || memcmp(l.b, "HTTP/1.1 ", 9) != 0)
        return UH_PROTOCOL;
    for (size_t i = 9; i < 12; i++) {
        if (l.b[i] < '0' || l.b[i] > '9')
            return UH_PROTOCOL;
        r->status = 10 * r->status + (l.b[i] - '0');
    }
    accept_of(nonce, accept);
    for (;;) {
        if (!line(&rest, &l))
            return UH_AGAIN;
        if (l.n == 0)
            break;
        UH_TRY(field(l, accept, r, &s));
    }
    r->size = (size_t)(rest.b - b);
    if (r->status != 101)
        return UH_REFUSED;
    return s.upgrade && s.connection && s.accept && s.protocol && !s.foreign ? UH_OK : UH_PROTOCOL;
}
