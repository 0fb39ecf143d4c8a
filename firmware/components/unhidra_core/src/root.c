#include <string.h>

#include "document.h"

/* read_key reads a key of a role into the next place of a root. */
static bool read_key(const uh_crypto *c, uh_slice json, uint8_t role, uh_root *root) {
    static const uint8_t p256[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01,
                                   0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00};
    uh_field f[] = {{.name = "keyid"}, {.name = "key"}, {.name = "not_before", .may_miss = true},
                    {.name = "not_after", .may_miss = true}};
    uint8_t der[96], sum[UH_SHA256_SIZE];
    char id[2 * UH_SHA256_SIZE + 1];
    uh_slice text;
    size_t n;
    if (root->count == UH_KEYS || !uh_fields(json, f, 4) || uh_json_plain(f[1].v, &text) != UH_OK ||
        uh_base64_decode(text.b, text.n, der, sizeof der, &n) != UH_OK)
        return false;
    uh_key *k = &root->keys[root->count];
    memset(k, 0, sizeof *k);
    k->role = role;
    if (!uh_field_text(&f[0], k->id, sizeof k->id) || !uh_field_time(&f[2], &k->from) ||
        !uh_field_time(&f[3], &k->until))
        return false;
    c->begin(c->ctx);
    c->add(c->ctx, der, n);
    c->end(c->ctx, sum);
    uh_hex(sum, sizeof sum, id);
    if (memcmp(id, k->id, 16) != 0 || k->id[16] != '\0')
        return false;
    if (role == UH_ROOT_KEY && (f[2].v.b != NULL || f[3].v.b != NULL))
        return false; /* what these sign has no time of its own */
    if (n == sizeof p256 + sizeof k->point && memcmp(der, p256, sizeof p256) == 0) {
        memcpy(k->point, der + sizeof p256, sizeof k->point);
        k->known = k->point[0] == 4;
    }
    for (size_t i = 0; i < root->count; i++) {
        const uh_key *other = &root->keys[i];
        bool same = strcmp(other->id, k->id) == 0, offers = other->role == UH_OFFER_KEY || role == UH_OFFER_KEY;
        if (same && (offers || other->role == role))
            return false;
    }
    root->count++;
    return true;
}

/* read_keys reads the keys of a role, of which as many as the threshold there must be. */
static bool read_keys(const uh_crypto *c, uh_slice list, uint8_t role, uint64_t threshold, uh_root *root) {
    size_t at = 0, n = 0;
    uh_slice one;
    uh_status got;
    for (; (got = uh_json_item(list, &at, &one)) == UH_OK; n++)
        if (!read_key(c, one, role, root))
            return false;
    return got == UH_END && threshold >= 1 && threshold <= n;
}

uh_verdict uh_root_read(const uh_crypto *c, uh_slice payload, uh_root *root) {
    enum { TYPE, PRODUCT, VERSION, EXPIRES, ROOTS, ROOT_T, RELEASES, RELEASE_T, OFFERS, COUNT };
    uh_field f[COUNT] = {{.name = "type"}, {.name = "product"}, {.name = "version"},
                         {.name = "expires", .may_miss = true}, {.name = "root_keys"}, {.name = "root_threshold"},
                         {.name = "release_keys"}, {.name = "release_threshold"}, {.name = "offer_keys"}};
    uint64_t version, roots, releases;
    memset(root, 0, sizeof *root);
    if (!uh_fields(payload, f, COUNT) || !uh_json_is(f[TYPE].v, "root") ||
        !uh_field_text(&f[PRODUCT], root->product, sizeof root->product) || root->product[0] == '\0' ||
        !uh_field_uint(&f[VERSION], UINT32_MAX, &version) || version == 0 ||
        !uh_field_time(&f[EXPIRES], &root->expires) ||
        !uh_field_uint(&f[ROOT_T], UH_KEYS, &roots) || !uh_field_uint(&f[RELEASE_T], UH_KEYS, &releases) ||
        !read_keys(c, f[ROOTS].v, UH_ROOT_KEY, roots, root) ||
        !read_keys(c, f[RELEASES].v, UH_RELEASE_KEY, releases, root) ||
        !read_keys(c, f[OFFERS].v, UH_OFFER_KEY, 1, root))
        return UH_SAYS_bad_document;
    root->version = (uint32_t)version;
    root->root_threshold = (uint8_t)roots;
    root->release_threshold = (uint8_t)releases;
    return UH_SAYS_accepted;
}
