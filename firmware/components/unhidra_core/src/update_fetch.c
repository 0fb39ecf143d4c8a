/* How an image comes into the other slot: as it is, or made of a patch and of the image that runs. */
#include <string.h>

#include "update.h"

enum { CHECKPOINT = 65536 };

bool uh_update_intact(uh_updater *u) {
    uint8_t b[256], sum[UH_SHA256_SIZE];
    const uh_crypto *c = u->crypto;
    c->begin(c->ctx);
    for (uint32_t at = 0; at < u->open.taken.size;) {
        uint32_t left = u->open.taken.size - at, n = left < sizeof b ? left : (uint32_t)sizeof b;
        if (u->board->read(u->board->ctx, at, b, n) != UH_OK)
            return false;
        c->add(c->ctx, b, n);
        at += n;
    }
    c->end(c->ctx, sum);
    return memcmp(sum, u->open.taken.sha256, sizeof sum) == 0;
}

static uh_status read_base(void *ctx, uint32_t at, uint8_t *b, size_t n) {
    const uh_updater *u = ctx;
    return u->board->read_running(u->board->ctx, at, b, n);
}

/* flush writes the sector that the patch has made so far. */
static uh_status flush(uh_updater *u) {
    uint32_t n = u->made % UH_SECTOR == 0 ? UH_SECTOR : u->made % UH_SECTOR;
    return u->board->write(u->board->ctx, u->made - n, u->sector, n);
}

static uh_status make(void *ctx, uint8_t b) {
    uh_updater *u = ctx;
    u->sector[u->made++ % UH_SECTOR] = b;
    return u->made % UH_SECTOR == 0 || u->made == u->open.taken.size ? flush(u) : UH_OK;
}

void uh_update_patch(uh_updater *u, const uh_slice *patch) {
    uh_slice v, text;
    uint64_t size;
    uint8_t base[UH_SHA256_SIZE];
    u->patch_size = 0;
    if (patch == NULL || u->board->read_running == NULL || uh_json_get(*patch, "format", &v) != UH_OK ||
        !uh_json_is(v, "detools-heatshrink") || uh_json_get(*patch, "base_sha256", &v) != UH_OK ||
        uh_json_plain(v, &text) != UH_OK || uh_hex_read(text, base, sizeof base) != UH_OK ||
        memcmp(base, u->board->running.sha256, sizeof base) != 0 || uh_json_get(*patch, "sha256", &v) != UH_OK ||
        uh_json_plain(v, &text) != UH_OK || uh_hex_read(text, u->patch_sha256, sizeof u->patch_sha256) != UH_OK ||
        uh_json_get(*patch, "size", &v) != UH_OK || uh_json_read_uint(v, &size) != UH_OK || size > UINT32_MAX)
        return;
    u->patch_size = (uint32_t)size;
}

void uh_update_fetch(uh_updater *u) {
    u->at = u->patch_size != 0 ? 0 : u->open.offset;
    u->made = 0;
    u->delta = (uh_delta){.ctx = u, .read = read_base, .base_size = u->board->running.size, .write = make,
                          .size = u->open.taken.size};
    uh_delta_begin(&u->delta);
    u->step = UH_DO_DOWNLOADING;
    if (u->at >= u->open.taken.size)
        u->step = UH_DO_VERIFIED;
}

/* whole has the whole image come, since the patch does not make it. */
static void whole(uh_updater *u) {
    u->patch_size = u->open.offset = 0;
    uh_update_fetch(u);
}

static void patched(uh_updater *u, const uint8_t *b, size_t n) {
    u->at += (uint32_t)n;
    if (uh_delta_feed(&u->delta, b, n) != UH_OK)
        whole(u);
    else if (u->at < u->patch_size)
        return;
    else if (uh_delta_done(&u->delta) && uh_update_intact(u))
        u->step = UH_DO_VERIFIED;
    else
        whole(u);
}

static void written(uh_updater *u, const uint8_t *b, size_t n) {
    for (size_t done = 0; done < n; done += UH_SECTOR) {
        size_t part = n - done < UH_SECTOR ? n - done : UH_SECTOR;
        if (u->board->write(u->board->ctx, u->at + (uint32_t)done, b + done, part) != UH_OK) {
            uh_update_fail(u, "flash");
            return;
        }
    }
    uint32_t before = u->at;
    u->at += (uint32_t)n;
    if (u->at / CHECKPOINT > before / CHECKPOINT) {
        u->open.offset = u->at / UH_SECTOR * UH_SECTOR;
        (void)uh_update_save(u); /* else more is fetched again */
    }
    if (u->at < u->open.taken.size)
        return;
    if (uh_update_intact(u))
        u->step = UH_DO_VERIFIED;
    else
        uh_update_fail(u, uh_verdict_text(UH_SAYS_wrong_image_bytes));
}

/* cut_off takes that a file ends before its size. */
static void cut_off(uh_updater *u) {
    if (u->patch_size != 0)
        whole(u);
    else
        uh_update_fail(u, uh_verdict_text(UH_SAYS_wrong_size));
}

void uh_update_window(uh_updater *u, uh_slice frame) {
    uh_slice v, text;
    size_t n;
    uint64_t offset;
    uint32_t left = (u->patch_size != 0 ? u->patch_size : u->open.taken.size) - u->at;
    uint32_t want = left < u->window ? left : u->window;
    if (uh_json_find(frame, "data.offset", &v) != UH_OK || uh_json_read_uint(v, &offset) != UH_OK || offset != u->at ||
        uh_json_find(frame, "data.data", &v) != UH_OK || uh_json_plain(v, &text) != UH_OK) {
        uh_update_fail(u, "read: the server does not send what was asked for");
        return;
    }
    uint8_t *b = (uint8_t *)(uintptr_t)text.b;
    if (uh_base64_decode(text.b, text.n, b, text.n, &n) != UH_OK || n > want)
        uh_update_fail(u, "read: another number of bytes came than was asked for");
    else if (n == 0 || (n < want && n % UH_SECTOR != 0))
        cut_off(u);
    else if (u->patch_size != 0)
        patched(u, b, n);
    else
        written(u, b, n);
}
