#include <string.h>

#include "unhidra/json.h"

void uh_json_begin(uh_json *w, char *b, size_t cap) {
    memset(w, 0, sizeof *w);
    w->b = b;
    w->cap = cap;
}

uh_status uh_json_end(const uh_json *w) { return w->over || w->depth != 0 ? UH_SPACE : UH_OK; }

static void put(uh_json *w, const char *b, size_t n) {
    if (w->over || n > w->cap - w->len) {
        w->over = true;
        return;
    }
    memcpy(w->b + w->len, b, n);
    w->len += n;
}

static void put_char(uh_json *w, char c) { put(w, &c, 1); }

static void quoted(uh_json *w, const char *b, size_t n) {
    static const char hex[] = "0123456789abcdef";
    put_char(w, '"');
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)b[i];
        char escape[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
        if (c == '"' || c == '\\') {
            escape[1] = b[i];
            put(w, escape, 2);
        } else if (c < 0x20) {
            put(w, escape, 6);
        } else {
            put_char(w, b[i]);
        }
    }
    put_char(w, '"');
}

/* before writes what stands before a value: a comma, and its name. */
static void before(uh_json *w, const char *key) {
    if ((w->filled >> w->depth & 1) != 0)
        put_char(w, ',');
    w->filled |= (uint32_t)1 << w->depth;
    if (key != NULL) {
        quoted(w, key, strlen(key));
        put_char(w, ':');
    }
}

void uh_json_open(uh_json *w, const char *key, char bracket) {
    before(w, key);
    put_char(w, bracket);
    if (w->depth == 31) {
        w->over = true;
        return;
    }
    w->depth++;
    w->filled &= ~((uint32_t)1 << w->depth);
}

void uh_json_close(uh_json *w, char bracket) {
    if (w->depth > 0)
        w->depth--;
    put_char(w, bracket);
}

void uh_json_slice(uh_json *w, const char *key, uh_slice text) {
    before(w, key);
    quoted(w, text.b, text.n);
}

void uh_json_text(uh_json *w, const char *key, const char *text) { uh_json_slice(w, key, uh_slice_of(text)); }

/* digits writes v, with a point before the last decimals. */
static void digits(uh_json *w, uint64_t v, uint8_t decimals) {
    char b[24];
    size_t at = sizeof b;
    for (uint8_t i = 0; v > 0 || i <= decimals; i++) {
        if (i > 0 && i == decimals)
            b[--at] = '.';
        b[--at] = (char)('0' + v % 10);
        v /= 10;
    }
    put(w, b + at, sizeof b - at);
}

void uh_json_uint(uh_json *w, const char *key, uint64_t v) {
    before(w, key);
    digits(w, v, 0);
}

void uh_json_scaled(uh_json *w, const char *key, int64_t v, uint8_t decimals) {
    before(w, key);
    if (v < 0)
        put_char(w, '-');
    digits(w, v < 0 ? ~(uint64_t)v + 1 : (uint64_t)v, decimals);
}

void uh_json_int(uh_json *w, const char *key, int64_t v) { uh_json_scaled(w, key, v, 0); }

void uh_json_raw(uh_json *w, const char *key, uh_slice json) {
    before(w, key);
    put(w, json.b, json.n);
}

void uh_json_bool(uh_json *w, const char *key, bool v) { uh_json_raw(w, key, uh_slice_of(v ? "true" : "false")); }

void uh_json_base64(uh_json *w, const char *key, const uint8_t *b, size_t n) {
    before(w, key);
    put_char(w, '"');
    if (w->over || uh_base64_size(n) > w->cap - w->len) {
        w->over = true;
        return;
    }
    uh_base64(b, n, w->b + w->len);
    w->len += uh_base64_size(n);
    put_char(w, '"');
}
