#include "document.h"

#include <string.h>

bool uh_fields(uh_slice object, uh_field *f, size_t n) {
    uh_slice key, v;
    size_t at = 0;
    uh_status got;
    while ((got = uh_json_member(object, &at, &key, &v)) == UH_OK) {
        size_t i = 0;
        while (i < n && !uh_slice_is(key, f[i].name))
            i++;
        if (i == n || f[i].v.b != NULL || uh_slice_is(v, "null"))
            return false;
        f[i].v = v;
    }
    if (got != UH_END || object.b[object.n - 1] != '}')
        return false;
    for (size_t i = 0; i < n; i++)
        if (f[i].v.b == NULL && !f[i].may_miss)
            return false;
    return true;
}

bool uh_field_text(const uh_field *f, char *out, size_t cap) {
    size_t n;
    out[0] = '\0';
    return f->v.b == NULL || (uh_json_string(f->v, out, cap, &n) == UH_OK && strlen(out) == n);
}

bool uh_field_uint(const uh_field *f, uint64_t most, uint64_t *v) {
    *v = 0;
    return f->v.b == NULL || (uh_json_read_uint(f->v, v) == UH_OK && *v <= most);
}

/* number reads n digits. */
static bool number(const char *b, size_t n, int64_t *v) {
    *v = 0;
    for (size_t i = 0; i < n; i++) {
        if (b[i] < '0' || b[i] > '9')
            return false;
        *v = *v * 10 + (b[i] - '0');
    }
    return true;
}

bool uh_field_time(const uh_field *f, int64_t *seconds) {
    static const uint8_t days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    uh_slice t;
    int64_t year, month, day, hour, minute, second;
    *seconds = 0;
    if (f->v.b == NULL)
        return true;
    if (uh_json_plain(f->v, &t) != UH_OK || t.n < 20 || t.b[t.n - 1] != 'Z' || t.b[4] != '-' || t.b[7] != '-' ||
        t.b[10] != 'T' || t.b[13] != ':' || t.b[16] != ':' || !number(t.b, 4, &year) || !number(t.b + 5, 2, &month) ||
        !number(t.b + 8, 2, &day) || !number(t.b + 11, 2, &hour) || !number(t.b + 14, 2, &minute) ||
        !number(t.b + 17, 2, &second) || year < 1970 || month < 1 || month > 12 || day < 1 || day > days[month - 1] ||
        hour > 23 || minute > 59 || second > 59)
        return false;
    for (size_t i = 19; i + 1 < t.n; i++) /* parts of a second do not count */
        if (i == 19 ? t.b[i] != '.' || t.n < 22 : t.b[i] < '0' || t.b[i] > '9')
            return false;
    int64_t y = month <= 2 ? year - 1 : year, shifted = (month + 9) % 12; /* a year that begins with March */
    int64_t since = y * 365 + y / 4 - y / 100 + y / 400 + (shifted * 153 + 2) / 5 + day - 1 - 719468;
    *seconds = ((since * 24 + hour) * 60 + minute) * 60 + second;
    return true;
}

static void add_text(const uh_crypto *c, const char *text) { c->add(c->ctx, text, strlen(text)); }

static void add_number(const uh_crypto *c, size_t n) {
    char b[24];
    uh_json w;
    uh_json_begin(&w, b, sizeof b);
    uh_json_uint(&w, NULL, n);
    c->add(c->ctx, b, w.len);
}

bool uh_envelope_open(const uh_crypto *c, uh_slice json, const char *type, uh_envelope *e) {
    uh_field f[] = {{.name = "payloadType"}, {.name = "payload"}, {.name = "signatures"}};
    uh_slice text;
    if (!uh_fields(json, f, 3) || !uh_json_is(f[0].v, type) || uh_json_plain(f[1].v, &text) != UH_OK)
        return false;
    uint8_t *b = (uint8_t *)(uintptr_t)text.b;
    if (uh_base64_decode(text.b, text.n, b, text.n, &e->payload.n) != UH_OK)
        return false;
    e->payload.b = (const char *)b;
    e->signatures = f[2].v;
    c->begin(c->ctx);
    c->add(c->ctx, b, e->payload.n);
    c->end(c->ctx, e->sum);
    c->begin(c->ctx);
    add_text(c, "DSSEv1 ");
    add_number(c, strlen(type));
    add_text(c, " ");
    add_text(c, type);
    add_text(c, " ");
    add_number(c, e->payload.n);
    add_text(c, " ");
    c->add(c->ctx, b, e->payload.n);
    c->end(c->ctx, e->signed_sum);
    return true;
}

/* counts says which key a signature is by, if it is good; UH_KEYS: none. */
static size_t counts(const uh_crypto *c, const uh_envelope *e, const uh_root *root, uint8_t role, int64_t at,
                     uh_slice signature) {
    uh_field f[] = {{.name = "keyid"}, {.name = "sig"}};
    uh_slice text;
    uint8_t sig[66];
    size_t n;
    if (!uh_fields(signature, f, 2) || uh_json_plain(f[1].v, &text) != UH_OK)
        return UH_KEYS;
    for (size_t i = 0; i < root->count; i++) {
        const uh_key *k = &root->keys[i];
        if (k->role != role || !k->known || !uh_json_is(f[0].v, k->id))
            continue;
        if (at != 0 && (at < k->from || (k->until != 0 && at > k->until)))
            return UH_KEYS;
        bool good = uh_base64_decode(text.b, text.n, sig, sizeof sig, &n) == UH_OK && n == 64 &&
                    c->verify(c->ctx, k->point, e->signed_sum, sig);
        return good ? i : UH_KEYS;
    }
    return UH_KEYS;
}

bool uh_signed_by(const uh_crypto *c, const uh_envelope *e, const uh_root *root, uint8_t role, uint8_t threshold,
                  int64_t at) {
    uint32_t seen = 0;
    uint8_t have = 0, looked = 0;
    uh_slice one;
    for (size_t i = 0; uh_json_item(e->signatures, &i, &one) == UH_OK && looked < 16; looked++) {
        size_t k = counts(c, e, root, role, at, one);
        if (k == UH_KEYS || (seen >> k & 1) != 0)
            continue;
        seen |= (uint32_t)1 << k;
        have++;
    }
    return have >= threshold;
}
