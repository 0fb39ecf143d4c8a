/* What an updater stores, byte by byte: the firmware that reads it is another one. */
#include <string.h>

#include "update.h"

enum { FORM = 1, SIZE = 1 + 1 + 1 + 4 * 5 + UH_SHA256_SIZE + UH_NAME_MAX + 1 };

static const char name[] = "update", root_name[] = "root";

uh_status uh_update_save(uh_updater *u) {
    uint8_t b[SIZE] = {FORM, (uint8_t)u->open.phase, u->open.starts};
    uh_put32(b + 3, u->floor);
    uh_put32(b + 7, u->open.taken.size);
    uh_put32(b + 11, u->open.taken.version_code);
    uh_put32(b + 15, u->open.taken.floor);
    uh_put32(b + 19, u->open.offset);
    memcpy(b + 23, u->open.taken.sha256, UH_SHA256_SIZE);
    memcpy(b + 23 + UH_SHA256_SIZE, u->open.taken.update, UH_NAME_MAX + 1);
    return u->store->save(u->store->ctx, name, b, sizeof b);
}

static uh_status load_update(uh_updater *u) {
    uint8_t b[SIZE];
    size_t n;
    uh_status got = u->store->load(u->store->ctx, name, b, sizeof b, &n);
    if (got == UH_MISSING)
        return UH_OK;
    UH_TRY(got);
    if (n != SIZE || b[0] != FORM || b[1] > UH_UPDATE_CONFIRMED || b[SIZE - 1] != 0)
        return UH_SYNTAX;
    u->open.phase = (uh_update_phase)b[1];
    u->open.starts = b[2];
    u->floor = uh_get32(b + 3);
    u->open.taken.size = uh_get32(b + 7);
    u->open.taken.version_code = uh_get32(b + 11);
    u->open.taken.floor = uh_get32(b + 15);
    u->open.offset = uh_get32(b + 19);
    memcpy(u->open.taken.sha256, b + 23, UH_SHA256_SIZE);
    memcpy(u->open.taken.update, b + 23 + UH_SHA256_SIZE, UH_NAME_MAX + 1);
    return UH_OK;
}

uh_status uh_update_keep(void *ctx, uh_slice payload) {
    uh_updater *u = ctx;
    return u->store->save(u->store->ctx, root_name, payload.b, payload.n);
}

uh_status uh_update_load(uh_updater *u, uh_slice root, uint8_t *scratch, size_t cap) {
    size_t n;
    if (uh_root_read(u->crypto, root, &u->root) != UH_SAYS_accepted)
        return UH_INVALID;
    uh_status got = u->store->load(u->store->ctx, root_name, scratch, cap, &n);
    if (got == UH_OK) {
        if (uh_root_read(u->crypto, (uh_slice){(const char *)scratch, n}, &u->next) != UH_SAYS_accepted)
            return UH_SYNTAX;
        if (u->next.version > u->root.version)
            u->root = u->next;
    } else if (got != UH_MISSING) {
        return got;
    }
    return load_update(u);
}
