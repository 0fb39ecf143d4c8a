#include <psa/crypto.h>
#include <string.h>

#include "psa_crypto.h"

static psa_hash_operation_t hash;

static void begin(void *ctx) {
    (void)ctx;
    (void)psa_hash_abort(&hash);
    hash = psa_hash_operation_init();
    (void)psa_hash_setup(&hash, PSA_ALG_SHA_256);
}

static void add(void *ctx, const void *b, size_t n) {
    (void)ctx;
    (void)psa_hash_update(&hash, b, n); /* what fails here fails in the end */
}

static void end(void *ctx, uint8_t sum[UH_SHA256_SIZE]) {
    size_t n;
    (void)ctx;
    if (psa_hash_finish(&hash, sum, UH_SHA256_SIZE, &n) != PSA_SUCCESS)
        memset(sum, 0, UH_SHA256_SIZE); /* nothing has this hash */
}

static bool verify(void *ctx, const uint8_t key[65], const uint8_t sum[UH_SHA256_SIZE], const uint8_t signature[64]) {
    psa_key_attributes_t a = psa_key_attributes_init();
    psa_key_id_t id;
    (void)ctx;
    psa_set_key_type(&a, PSA_KEY_TYPE_ECC_PUBLIC_KEY(PSA_ECC_FAMILY_SECP_R1));
    psa_set_key_usage_flags(&a, PSA_KEY_USAGE_VERIFY_HASH);
    psa_set_key_algorithm(&a, PSA_ALG_ECDSA(PSA_ALG_SHA_256));
    if (psa_import_key(&a, key, 65, &id) != PSA_SUCCESS)
        return false;
    psa_status_t good = psa_verify_hash(id, PSA_ALG_ECDSA(PSA_ALG_SHA_256), sum, UH_SHA256_SIZE, signature, 64);
    (void)psa_destroy_key(id);
    return good == PSA_SUCCESS;
}

uh_status uh_psa_crypto(uh_crypto *crypto) {
    *crypto = (uh_crypto){NULL, begin, add, end, verify};
    return psa_crypto_init() == PSA_SUCCESS ? UH_OK : UH_IO;
}
