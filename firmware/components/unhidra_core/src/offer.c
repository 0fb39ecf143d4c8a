#include "unhidra/offer.h"

#include <string.h>

#include "document.h"

#define TYPE(name) "application/vnd.unhidra." name "+json"

enum { DAY = 86400 };

const char *uh_verdict_text(uh_verdict v) {
    switch (v) {
#define UH_VERDICT_CASE(name) \
    case UH_SAYS_##name:      \
        return #name;
        UH_VERDICT_LIST(UH_VERDICT_CASE)
#undef UH_VERDICT_CASE
    }
    return "unknown";
}

uh_status uh_hex_read(uh_slice text, uint8_t *out, size_t n) {
    if (text.n != 2 * n)
        return UH_SYNTAX;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.b[i];
        unsigned d = c >= '0' && c <= '9' ? (unsigned)(c - '0') : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10) : 16;
        if (d > 15)
            return UH_SYNTAX;
        out[i / 2] = (uint8_t)(i % 2 == 0 ? d << 4 : out[i / 2] | d);
    }
    return UH_OK;
}

void uh_hex(const uint8_t *b, size_t n, char *out) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[b[i] >> 4];
        out[2 * i + 1] = digits[b[i] & 15];
    }
    out[2 * n] = '\0';
}

static bool field_hash(const uh_field *f, uint8_t out[UH_SHA256_SIZE]) {
    uh_slice text;
    return uh_json_plain(f->v, &text) == UH_OK && uh_hex_read(text, out, UH_SHA256_SIZE) == UH_OK;
}

/* follow goes on from the device's root to those that follow it. */
UH_APART static uh_verdict follow(const uh_checker *c, uh_slice list) {
    uh_slice one;
    uh_envelope e;
    uh_status got;
    for (size_t at = 0; (got = uh_json_item(list, &at, &one)) == UH_OK;) {
        uh_root *root = c->root, *next = c->next;
        if (!uh_envelope_open(c->crypto, one, TYPE("root"), &e))
            return UH_SAYS_bad_document;
        uh_verdict v = uh_root_read(c->crypto, e.payload, next);
        if (v != UH_SAYS_accepted)
            return v;
        if (next->version <= root->version)
            continue;
        if (next->version != root->version + 1)
            return UH_SAYS_bad_root;
        if (strcmp(next->product, root->product) != 0)
            return UH_SAYS_wrong_product;
        if (!uh_signed_by(c->crypto, &e, root, UH_ROOT_KEY, root->root_threshold, 0) ||
            !uh_signed_by(c->crypto, &e, next, UH_ROOT_KEY, next->root_threshold, 0) ||
            c->keep(c->ctx, e.payload) != UH_OK)
            return UH_SAYS_bad_root;
        memcpy(root, next, sizeof *root);
    }
    return got == UH_END ? UH_SAYS_accepted : UH_SAYS_bad_document;
}

/* An image of a manifest. */
typedef struct {
    char chip[33];
    uint64_t least, most, size, secure;
    uint8_t sha256[UH_SHA256_SIZE];
} image;

UH_APART static bool read_image(uh_slice json, image *i) {
    enum { CHIP, LEAST, MOST, SIZE, SHA256, ELF, SECURE, COUNT };
    uh_field f[COUNT] = {{.name = "chip"}, {.name = "revision_min", .may_miss = true},
                         {.name = "revision_max", .may_miss = true}, {.name = "size"}, {.name = "sha256"},
                         {.name = "elf_sha256", .may_miss = true}, {.name = "secure_version", .may_miss = true}};
    uint8_t elf[UH_SHA256_SIZE];
    if (!uh_fields(json, f, COUNT) || !uh_field_text(&f[CHIP], i->chip, sizeof i->chip) || i->chip[0] == '\0' ||
        !uh_field_uint(&f[LEAST], UINT16_MAX, &i->least) || !uh_field_uint(&f[MOST], UINT16_MAX, &i->most) ||
        !uh_field_uint(&f[SIZE], 1u << 30, &i->size) || i->size == 0 || !field_hash(&f[SHA256], i->sha256) ||
        (f[ELF].v.b != NULL && !field_hash(&f[ELF], elf)) || !uh_field_uint(&f[SECURE], UINT32_MAX, &i->secure))
        return false;
    if (f[MOST].v.b == NULL)
        i->most = UINT16_MAX;
    return i->least <= i->most;
}

/* A release is what its manifest says. */
typedef struct {
    char product[UH_NAME_MAX + 1];
    uint64_t code, least, back;
    int64_t created, not_after;
    uh_slice images;
} release;

UH_APART static bool read_release(uh_slice payload, release *r) {
    enum { KIND, PRODUCT, VERSION, CODE, CREATED, NOT_AFTER, LEAST, BACK, IMAGES, COUNT };
    uh_field f[COUNT] = {{.name = "type"}, {.name = "product"}, {.name = "version"}, {.name = "version_code"},
                         {.name = "created"}, {.name = "not_after", .may_miss = true},
                         {.name = "min_version_code", .may_miss = true},
                         {.name = "allow_downgrade_to", .may_miss = true}, {.name = "images"}};
    char version[UH_NAME_MAX + 1];
    if (!uh_fields(payload, f, COUNT) || !uh_json_is(f[KIND].v, "manifest") ||
        !uh_field_text(&f[PRODUCT], r->product, sizeof r->product) || r->product[0] == '\0' ||
        !uh_field_text(&f[VERSION], version, sizeof version) || version[0] == '\0' ||
        !uh_field_uint(&f[CODE], UINT32_MAX, &r->code) || r->code == 0 || !uh_field_time(&f[CREATED], &r->created) ||
        !uh_field_time(&f[NOT_AFTER], &r->not_after) || !uh_field_uint(&f[LEAST], r->code, &r->least) ||
        !uh_field_uint(&f[BACK], r->code, &r->back) || (r->not_after != 0 && r->not_after < r->created))
        return false;
    image i;
    uh_slice one;
    size_t at = 0, n = 0;
    uh_status got;
    r->images = f[IMAGES].v;
    for (; (got = uh_json_item(r->images, &at, &one)) == UH_OK; n++)
        if (!read_image(one, &i))
            return false;
    return got == UH_END && n >= 1 && n <= 32;
}

typedef struct {
    char product[UH_NAME_MAX + 1], device[UH_NAME_MAX + 1], nonce[UH_NAME_MAX + 1];
    uint8_t manifest[UH_SHA256_SIZE];
    int64_t issued, expires;
} terms;

UH_APART static bool read_terms(uh_slice payload, terms *t, uh_taken *taken) {
    enum { KIND, PRODUCT, DEVICE, NONCE, MANIFEST, ROLLOUT, UPDATE, ISSUED, EXPIRES, COUNT };
    uh_field f[COUNT] = {{.name = "type"}, {.name = "product"}, {.name = "device"}, {.name = "nonce"},
                         {.name = "manifest_sha256"}, {.name = "rollout"}, {.name = "update"}, {.name = "issued"},
                         {.name = "expires"}};
    char rollout[UH_NAME_MAX + 1];
    return uh_fields(payload, f, COUNT) && uh_json_is(f[KIND].v, "offer") &&
           uh_field_text(&f[PRODUCT], t->product, sizeof t->product) && t->product[0] != '\0' &&
           uh_field_text(&f[DEVICE], t->device, sizeof t->device) && t->device[0] != '\0' &&
           uh_field_text(&f[NONCE], t->nonce, sizeof t->nonce) && strlen(t->nonce) >= 22 &&
           field_hash(&f[MANIFEST], t->manifest) && uh_field_text(&f[ROLLOUT], rollout, sizeof rollout) &&
           uh_field_text(&f[UPDATE], taken->update, sizeof taken->update) && uh_field_time(&f[ISSUED], &t->issued) &&
           uh_field_time(&f[EXPIRES], &t->expires) && t->expires > t->issued && t->expires - t->issued <= DAY;
}

/* same compares without telling by the time that it takes where texts differ. */
static bool same(const char *a, const char *b) {
    size_t n = strlen(a);
    unsigned diff = n != strlen(b);
    for (size_t i = 0; i < n; i++)
        diff |= (unsigned)(unsigned char)a[i] ^ (unsigned char)b[i < strlen(b) ? i : 0];
    return diff == 0;
}

/* choose finds the image for the device. */
static uh_verdict choose(const release *r, const uh_self *self, uh_taken *taken) {
    uh_verdict none = UH_SAYS_wrong_chip;
    uh_slice one;
    image i;
    for (size_t at = 0; uh_json_item(r->images, &at, &one) == UH_OK && read_image(one, &i);) {
        if (strcmp(i.chip, self->chip) != 0)
            continue;
        if (self->revision < i.least || self->revision > i.most) {
            none = UH_SAYS_wrong_revision;
            continue;
        }
        if (r->code < self->floor)
            return UH_SAYS_downgrade;
        if (self->version_code < r->least)
            return UH_SAYS_too_old;
        if (i.secure < self->secure_version)
            return UH_SAYS_secure_version;
        if (i.size > self->slot)
            return UH_SAYS_wrong_size;
        taken->size = (uint32_t)i.size;
        memcpy(taken->sha256, i.sha256, sizeof taken->sha256);
        return UH_SAYS_accepted;
    }
    return none;
}

/* conditions says whether an offer that is signed is for this device, now, and of this manifest. */
static uh_verdict conditions(const uh_root *root, const uh_self *self, const terms *t, const release *r,
                             const uint8_t manifest[UH_SHA256_SIZE]) {
    if (strcmp(t->product, root->product) != 0)
        return UH_SAYS_wrong_product;
    if (strcmp(t->device, self->id) != 0)
        return UH_SAYS_wrong_device;
    if (self->nonce[0] == '\0' || !same(t->nonce, self->nonce))
        return UH_SAYS_wrong_nonce;
    if (self->since_nonce_ms > (uint64_t)(t->expires - t->issued) * 1000)
        return UH_SAYS_offer_expired;
    if (root->expires != 0 && t->issued > root->expires)
        return UH_SAYS_root_expired;
    if (memcmp(manifest, t->manifest, UH_SHA256_SIZE) != 0)
        return UH_SAYS_wrong_manifest;
    return r->not_after != 0 && t->issued > r->not_after ? UH_SAYS_manifest_expired : UH_SAYS_accepted;
}

/* take checks what is signed, once the newest root is known. */
static uh_verdict take(const uh_checker *c, const uh_self *self, uh_slice offer, uh_slice manifest, uh_taken *taken) {
    uh_envelope o, m;
    release r;
    terms t;
    if (!uh_envelope_open(c->crypto, offer, TYPE("offer"), &o) ||
        !uh_envelope_open(c->crypto, manifest, TYPE("manifest"), &m) || !read_release(m.payload, &r))
        return UH_SAYS_bad_document;
    if (!uh_signed_by(c->crypto, &m, c->root, UH_RELEASE_KEY, c->root->release_threshold, r.created))
        return UH_SAYS_bad_signature;
    if (strcmp(r.product, c->root->product) != 0)
        return UH_SAYS_wrong_product;
    if (!read_terms(o.payload, &t, taken))
        return UH_SAYS_bad_document;
    if (!uh_signed_by(c->crypto, &o, c->root, UH_OFFER_KEY, 1, t.issued))
        return UH_SAYS_bad_offer;
    uh_verdict v = conditions(c->root, self, &t, &r, m.sum);
    if (v == UH_SAYS_accepted)
        v = choose(&r, self, taken);
    taken->version_code = (uint32_t)r.code;
    taken->floor = (uint32_t)(r.back != 0 ? r.back : r.code);
    return v;
}

uh_verdict uh_offer_check(const uh_checker *c, const uh_self *self, uh_slice data, uh_taken *taken) {
    uh_slice update, offer, manifest, roots;
    char id[UH_NAME_MAX + 1];
    memset(taken, 0, sizeof *taken);
    if (uh_json_get(data, "update", &update) != UH_OK || uh_json_string(update, id, sizeof id, NULL) != UH_OK ||
        uh_json_get(data, "offer", &offer) != UH_OK || uh_json_get(data, "manifest", &manifest) != UH_OK)
        return UH_SAYS_bad_document;
    if (uh_json_get(data, "roots", &roots) == UH_OK) {
        uh_verdict v = follow(c, roots);
        if (v != UH_SAYS_accepted)
            return v;
    }
    uh_verdict v = take(c, self, offer, manifest, taken);
    if (v == UH_SAYS_accepted && strcmp(taken->update, id) != 0)
        return UH_SAYS_bad_offer;
    return v;
}
