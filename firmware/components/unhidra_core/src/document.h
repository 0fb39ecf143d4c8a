/* Signed documents: DSSE envelopes, and the JSON in them. */
#ifndef UNHIDRA_DOCUMENT_H
#define UNHIDRA_DOCUMENT_H

#include "unhidra/offer.h"

/* A function of its own keeps the stack of its caller small. */
#define UH_APART __attribute__((noinline))

/* A field of an object: each comes once at most, and no other may come. */
typedef struct {
    const char *name;
    bool may_miss;
    uh_slice v; /* its value; b NULL: it is not there */
} uh_field;

bool uh_fields(uh_slice object, uh_field *f, size_t n);
/* These read a value; what is not there is 0 or empty, which the caller refuses where it must be there. */
bool uh_field_text(const uh_field *f, char *out, size_t cap);
bool uh_field_uint(const uh_field *f, uint64_t most, uint64_t *v);
bool uh_field_time(const uh_field *f, int64_t *seconds);

typedef struct {
    uh_slice payload; /* decoded, in the memory of the envelope */
    uh_slice signatures;
    uint8_t sum[UH_SHA256_SIZE];    /* of the payload */
    uint8_t signed_sum[UH_SHA256_SIZE];
} uh_envelope;

bool uh_envelope_open(const uh_crypto *c, uh_slice json, const char *type, uh_envelope *e);
/* uh_signed_by says whether threshold different keys of a role, each valid at a time (0: whenever), have signed. */
bool uh_signed_by(const uh_crypto *c, const uh_envelope *e, const uh_root *root, uint8_t role, uint8_t threshold,
                  int64_t at);

#endif
