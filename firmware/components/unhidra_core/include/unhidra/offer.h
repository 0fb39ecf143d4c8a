/* What a device checks before it takes an update: docs/firmware-signing.md. */
#ifndef UNHIDRA_OFFER_H
#define UNHIDRA_OFFER_H

#include "unhidra/json.h"

#define UH_SHA256_SIZE 32

/* Cryptography of the port. One hash is made at a time. */
typedef struct {
    void *ctx;
    void (*begin)(void *ctx);
    void (*add)(void *ctx, const void *b, size_t n);
    void (*end)(void *ctx, uint8_t sum[UH_SHA256_SIZE]);
    /* verify says whether this is a signature (r and s) of a SHA-256 by a key of P-256, which is 0x04, x, y. */
    bool (*verify)(void *ctx, const uint8_t key[65], const uint8_t sum[UH_SHA256_SIZE], const uint8_t signature[64]);
} uh_crypto;

/* Why an offer is refused, in the words that are reported. */
#define UH_VERDICT_LIST(X)                                                                                     \
    X(accepted) X(bad_document) X(bad_root) X(root_expired) X(bad_signature) X(wrong_product) X(bad_offer)     \
    X(wrong_device) X(wrong_nonce) X(offer_expired) X(wrong_manifest) X(manifest_expired) X(wrong_chip)        \
    X(wrong_revision) X(downgrade) X(too_old) X(secure_version) X(wrong_size) X(wrong_image_bytes)

typedef enum {
#define UH_VERDICT_NAME(name) UH_SAYS_##name,
    UH_VERDICT_LIST(UH_VERDICT_NAME)
#undef UH_VERDICT_NAME
} uh_verdict;

const char *uh_verdict_text(uh_verdict v);

#define UH_KEYS 16    /* that a root may have, of all kinds together */
#define UH_NAME_MAX 64 /* bytes of products and ids */

enum { UH_ROOT_KEY = 1, UH_RELEASE_KEY = 2, UH_OFFER_KEY = 4 };

typedef struct {
    char id[17];
    uint8_t point[65];
    uint8_t role;
    bool known;        /* it is of P-256; others do not count */
    int64_t from, until; /* seconds since 1970; 0: without limit */
} uh_key;

typedef struct {
    char product[UH_NAME_MAX + 1];
    uint32_t version;
    int64_t expires; /* 0: never */
    uint8_t root_threshold, release_threshold;
    uint8_t count;
    uh_key keys[UH_KEYS];
} uh_root;

/* uh_root_read reads the payload of a root that is trusted already: the one that the device was made with, or has kept.
 * The text is that of the document, not the envelope. */
uh_verdict uh_root_read(const uh_crypto *c, uh_slice payload, uh_root *root);

/* What a device knows of itself. */
typedef struct {
    const char *id, *chip, *nonce; /* nonce: the last one that it has sent */
    uint16_t revision;
    uint32_t version_code, floor, secure_version;
    uint32_t slot;            /* bytes that an image may have */
    uint64_t since_nonce_ms;
} uh_self;

/* What an offer is about. */
typedef struct {
    char update[UH_NAME_MAX + 1];
    uint8_t sha256[UH_SHA256_SIZE];
    uint32_t size;
    uint32_t version_code;
    uint32_t floor; /* the lowest version code that the device accepts once it has confirmed the image */
} uh_taken;

/* A check needs a second root, while it follows a chain. */
typedef struct {
    const uh_crypto *crypto;
    uh_root *root, *next;
    /* keep stores the payload of a root that has been followed. */
    uh_status (*keep)(void *ctx, uh_slice payload);
    void *ctx;
} uh_checker;

/* uh_offer_check checks the data of a frame firmware.offer. It decodes what is in the frame where it is: the frame is
 * of no use afterwards. Roots that follow from the device's are kept in any case. */
uh_verdict uh_offer_check(const uh_checker *c, const uh_self *self, uh_slice data, uh_taken *taken);

/* uh_hex_read reads n bytes of lower-case hexadecimal digits. */
uh_status uh_hex_read(uh_slice text, uint8_t *out, size_t n);
void uh_hex(const uint8_t *b, size_t n, char *out); /* 2n characters and a NUL */

#endif
