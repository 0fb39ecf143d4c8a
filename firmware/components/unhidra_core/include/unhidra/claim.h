/* How a device that is set up gets a key of its own. */
#ifndef UNHIDRA_CLAIM_H
#define UNHIDRA_CLAIM_H

#include "unhidra/bytes.h"
#include "unhidra/port.h"

typedef struct {
    const char *host; /* HOST:PORT, as in the header */
    const char *token;
    const uh_stream *stream;
    const uh_store *store;
    const uh_random *random;
    char *b; /* for the request and the answer, 2,048 bytes or more */
    size_t cap;
} uh_claim;

#define UH_KEY_SIZE 64 /* of a key, with its NUL */

/* uh_claim_key puts the device's key into key: that in the store, or else one that it asks the server for and stores,
 * by a nonce that it has stored before, so that it may be called again when the answer was lost. UH_REFUSED: the token
 * is good no more; the device must be set up again. UH_BUSY: the server asks to come back later. It blocks for at most
 * wait_ms after the connection is open. */
uh_status uh_claim_key(const uh_claim *c, uint32_t wait_ms, char key[UH_KEY_SIZE]);

#endif
