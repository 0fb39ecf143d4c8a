#include "unhidra/claim.h"

#include <string.h>

#include "unhidra/json.h"
#include "unhidra/setup.h"

enum { NONCE = 18, NONCE_TEXT = 24 };

/* nonce_of returns the nonce of this device, which it makes once. */
static uh_status nonce_of(const uh_claim *c, char out[NONCE_TEXT + 1]) {
    uint8_t b[NONCE];
    size_t n;
    uh_status got = c->store->load(c->store->ctx, "nonce", b, sizeof b, &n);
    if (got != UH_OK || n != sizeof b) {
        if (got != UH_OK && got != UH_MISSING && got != UH_SPACE)
            return got;
        c->random->fill(c->random->ctx, b, sizeof b);
        UH_TRY(c->store->save(c->store->ctx, "nonce", b, sizeof b));
    }
    uh_base64(b, sizeof b, out);
    out[NONCE_TEXT] = '\0';
    return UH_OK;
}

static size_t put(char *b, size_t at, size_t cap, const char *t) {
    size_t n = strlen(t);
    if (n > cap - at)
        return cap; /* it is full: nothing more fits */
    memcpy(b + at, t, n);
    return at + n;
}

/* digits writes n below 1000. */
static void digits(size_t n, char out[4]) {
    out[0] = (char)('0' + n / 100 % 10);
    out[1] = (char)('0' + n / 10 % 10);
    out[2] = (char)('0' + n % 10);
    out[3] = '\0';
}

/* request is of HTTP/1.0: then the end of the answer is that of the connection. */
static uh_status request(const uh_claim *c, const char *nonce, size_t *n) {
    char body[160], length[4];
    uh_json w;
    uh_json_begin(&w, body, sizeof body);
    uh_json_open(&w, NULL, '{');
    uh_json_text(&w, "token", c->token);
    uh_json_text(&w, "nonce", nonce);
    uh_json_close(&w, '}');
    UH_TRY(uh_json_end(&w));
    if (!uh_is_plain(c->host))
        return UH_INVALID;
    digits(w.len, length);
    const char *parts[] = {"POST /api/v1/device-claims HTTP/1.0\r\nHost: ", c->host,
                           "\r\nContent-Type: application/json\r\nContent-Length: ", length, "\r\n\r\n"};
    *n = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        *n = put(c->b, *n, c->cap, parts[i]);
    if (w.len > c->cap - *n)
        return UH_SPACE;
    memcpy(c->b + *n, body, w.len);
    *n += w.len;
    uh_wipe(body, sizeof body);
    return UH_OK;
}

/* answer reads until the server closes the connection. */
static uh_status answer(const uh_claim *c, uint32_t wait_ms, size_t *n) {
    enum { TURN = 100 };
    *n = 0;
    for (uint32_t waited = 0;;) {
        size_t came = 0;
        if (*n == c->cap)
            return UH_SPACE;
        uh_status got = c->stream->read(c->stream->ctx, (uint8_t *)c->b + *n, c->cap - *n, TURN, &came);
        if (got == UH_CLOSED)
            return UH_OK;
        if (got == UH_AGAIN && (waited += TURN) < wait_ms)
            continue;
        if (got != UH_OK)
            return got == UH_AGAIN ? UH_IO : got;
        *n += came;
    }
}

/* status_of reads the status line. */
static uh_status status_of(uh_slice a) {
    if (a.n < 12 || memcmp(a.b, "HTTP/1.", 7) != 0)
        return UH_PROTOCOL;
    switch (a.b[9]) {
    case '2':
        return UH_OK;
    case '4':
        return a.b[10] == '2' && a.b[11] == '9' ? UH_BUSY : UH_REFUSED;
    default:
        return UH_BUSY;
    }
}

static uh_status read_key(uh_slice a, char key[UH_KEY_SIZE]) {
    UH_TRY(status_of(a));
    for (size_t i = 0; i + 3 < a.n; i++)
        if (memcmp(a.b + i, "\r\n\r\n", 4) == 0) {
            uh_slice v;
            UH_TRY(uh_json_get((uh_slice){a.b + i + 4, a.n - i - 4}, "key", &v));
            uh_status got = uh_json_string(v, key, UH_KEY_SIZE, NULL);
            return got == UH_OK && !uh_is_plain(key) ? UH_PROTOCOL : got;
        }
    return UH_PROTOCOL;
}

static uh_status ask(const uh_claim *c, uint32_t wait_ms, const char *nonce, char key[UH_KEY_SIZE]) {
    size_t n;
    UH_TRY(request(c, nonce, &n));
    UH_TRY(c->stream->open(c->stream->ctx));
    uh_status got = c->stream->write(c->stream->ctx, (const uint8_t *)c->b, n);
    if (got == UH_OK)
        got = answer(c, wait_ms, &n);
    c->stream->close(c->stream->ctx);
    if (got == UH_OK)
        got = read_key((uh_slice){c->b, n}, key);
    uh_wipe(c->b, c->cap);
    return got;
}

uh_status uh_claim_key(const uh_claim *c, uint32_t wait_ms, char key[UH_KEY_SIZE]) {
    char nonce[NONCE_TEXT + 1];
    size_t n;
    uh_status got = c->store->load(c->store->ctx, "key", key, UH_KEY_SIZE - 1, &n);
    if (got == UH_OK && n > 0) {
        key[n] = '\0';
        return UH_OK;
    }
    if (got != UH_OK && got != UH_MISSING)
        return got;
    UH_TRY(nonce_of(c, nonce));
    UH_TRY(ask(c, wait_ms, nonce, key));
    return c->store->save(c->store->ctx, "key", key, strlen(key));
}
