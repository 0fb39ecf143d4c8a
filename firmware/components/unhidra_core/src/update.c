#include "update.h"

#include <string.h>

enum { STARTS_MOST = 2 };

static uint64_t uptime(const uh_updater *u) { return u->clock->uptime_ms(u->clock->ctx); }

static void new_nonce(uh_updater *u) {
    uint8_t b[16];
    u->random->fill(u->random->ctx, b, sizeof b);
    uh_hex(b, sizeof b, u->nonce);
    u->nonce_at = uptime(u);
    u->ask_anew = true;
}

uh_status uh_updater_open(uh_updater *u, const uh_board *board, const uh_crypto *crypto, const uh_store *store,
                          const uh_clock *clock, const uh_random *random, uh_slice root, uint8_t *rx,
                          size_t rx_cap) {
    memset(u, 0, sizeof *u);
    u->board = board;
    u->crypto = crypto;
    u->store = store;
    u->clock = clock;
    u->random = random;
    u->window = (uint32_t)((rx_cap > 512 ? rx_cap - 512 : 0) / 4 * 3) / UH_SECTOR * UH_SECTOR;
    if (u->window > 32768)
        u->window = 32768;
    if (u->window == 0)
        return UH_INVALID;
    UH_TRY(uh_update_load(u, root, rx, rx_cap));
    if (u->floor == 0)
        u->floor = board->running.version_code;
    new_nonce(u);
    return UH_OK;
}

static bool runs(const uh_updater *u) {
    return memcmp(u->board->running.sha256, u->open.taken.sha256, UH_SHA256_SIZE) == 0;
}

bool uh_update_taken_back(const uh_updater *u) {
    uh_slot_state other = u->board->other(u->board->ctx);
    return u->open.phase == UH_UPDATE_STARTING && !runs(u) && (other == UH_SLOT_ABORTED || other == UH_SLOT_INVALID);
}

bool uh_updater_unconfirmed(const uh_updater *u) {
    uh_slot_state s = u->board->state(u->board->ctx);
    return s == UH_SLOT_NEW || s == UH_SLOT_PENDING;
}

/* give_up has the image that runs taken back. If that fails, the bootloader takes it back at the next restart. */
static void give_up(uh_updater *u) {
    (void)u->board->give_up(u->board->ctx);
    u->board->restart(u->board->ctx);
}

void uh_updater_watch(uh_updater *u, uint32_t within_ms) {
    if (uptime(u) > within_ms && uh_updater_unconfirmed(u))
        give_up(u);
}

void uh_update_forget(uh_updater *u) {
    memset(&u->open, 0, sizeof u->open);
    u->step = UH_DO_NOTHING;
    (void)uh_update_save(u); /* else it is told again after a restart, and the server knows */
}

void uh_update_fail(uh_updater *u, const char *reason) {
    size_t n = strlen(reason);
    n = n < sizeof u->reason ? n : sizeof u->reason - 1;
    memcpy(u->reason, reason, n);
    u->reason[n] = '\0';
    u->step = UH_DO_FAILED;
}

/* go_on takes up the update that the device is in, from where it is. */
static void go_on(uh_updater *u) {
    const uh_open_update *o = &u->open;
    u->step = UH_DO_NOTHING;
    if (o->phase == UH_UPDATE_NONE)
        return;
    if (o->phase == UH_UPDATE_CONFIRMED)
        u->step = UH_DO_SUCCEEDED;
    else if (runs(u))
        u->step = UH_DO_TESTING;
    else if (uh_update_taken_back(u))
        uh_update_fail(u, "rolled_back: the bootloader has taken the image back");
    else if (o->phase == UH_UPDATE_STARTING && o->starts >= STARTS_MOST)
        uh_update_fail(u, "not_started: the bootloader does not start the image");
    else if (o->phase == UH_UPDATE_STARTING)
        u->step = UH_DO_INSTALLING;
    else {
        uh_update_fetch(u);
    }
}

void uh_updater_hello(uh_updater *u) {
    u->report = true;
    u->off = false;
    if (u->step == UH_DO_REBOOTING) { /* the server has not heard it, and sees what comes back */
        u->step = UH_DO_NOTHING;
        u->board->restart(u->board->ctx);
        return;
    }
    /* What came over the connection before is in flash. After a power cut it is the last checkpoint. */
    bool fetched = u->step == UH_DO_READ || u->step == UH_DO_DOWNLOADING || u->step == UH_DO_VERIFIED ||
                   u->step == UH_DO_INSTALLING;
    if (fetched && u->open.phase == UH_UPDATE_FETCHING && u->patch_size == 0 && u->at > u->open.offset)
        u->open.offset = u->at < u->open.taken.size ? u->at / UH_SECTOR * UH_SECTOR : u->at;
    go_on(u);
}

void uh_updater_offered(uh_updater *u, const char *device, uh_slice data, bool truncated) {
    const uh_running *r = &u->board->running;
    uh_slice v, patch;
    uh_taken taken;
    bool patched = uh_json_get(data, "delta", &patch) == UH_OK; /* before the frame is decoded */
    if (uh_json_get(data, "update", &v) != UH_OK || uh_json_string(v, u->about, sizeof u->about, NULL) != UH_OK)
        return;
    if (u->open.phase > UH_UPDATE_FETCHING || uh_updater_unconfirmed(u)) {
        u->step = u->step == UH_DO_NOTHING ? UH_DO_DEFER : u->step;
        return;
    }
    uint32_t before = u->root.version;
    uh_checker c = {u->crypto, &u->root, &u->next, uh_update_keep, u};
    uh_self self = {device, r->chip, u->nonce, r->revision, r->version_code, u->floor, r->secure_version,
                    u->board->slot_size, uptime(u) - u->nonce_at};
    uh_verdict said = truncated ? UH_SAYS_bad_document : uh_offer_check(&c, &self, data, &taken);
    if (said != UH_SAYS_accepted) {
        bool followed = u->root.version != before;
        u->again = said == UH_SAYS_wrong_nonce || said == UH_SAYS_offer_expired ||
                   (followed && (said == UH_SAYS_bad_signature || said == UH_SAYS_bad_offer));
        if (said == UH_SAYS_offer_expired)
            new_nonce(u);
        uh_update_fail(u, truncated ? "bad_document: it is too long for the device" : uh_verdict_text(said));
        u->step = UH_DO_REFUSE;
        return;
    }
    uint32_t offset = 0; /* of the same image, offered again: it goes on where it was */
    if (u->open.phase == UH_UPDATE_FETCHING && memcmp(u->open.taken.sha256, taken.sha256, sizeof taken.sha256) == 0)
        offset = u->open.offset;
    u->open = (uh_open_update){.taken = taken, .phase = UH_UPDATE_FETCHING, .offset = offset};
    if (runs(u))
        u->open.phase = UH_UPDATE_CONFIRMED; /* it is there already */
    uh_update_patch(u, patched ? &patch : NULL);
    new_nonce(u);
    if (uh_update_save(u) == UH_OK)
        u->step = UH_DO_ACCEPTED;
    else
        uh_update_fail(u, "flash");
}

/* started has the bootloader start the image that is in flash. */
static void started(uh_updater *u) {
    if (!uh_update_intact(u)) {
        uh_update_fail(u, uh_verdict_text(UH_SAYS_wrong_image_bytes));
        return;
    }
    u->open.phase = UH_UPDATE_STARTING;
    u->open.starts++;
    if (uh_update_save(u) != UH_OK || u->board->start(u->board->ctx) != UH_OK)
        uh_update_fail(u, "start");
    else
        u->step = UH_DO_REBOOTING;
}

/* tested decides about the image that runs, which has reached the server. */
static void tested(uh_updater *u) {
    const uh_board *b = u->board;
    if (u->step == UH_DO_TESTING && uh_updater_unconfirmed(u)) {
        if (b->self_test != NULL && b->self_test(b->ctx) != UH_OK) {
            uh_update_fail(u, "self_test");
            return;
        }
        u->step = UH_DO_TESTED; /* the server is asked once more */
        return;
    }
    if (uh_updater_unconfirmed(u) && b->confirm(b->ctx) != UH_OK) {
        uh_update_fail(u, "confirm");
        return;
    }
    u->floor = u->open.taken.floor;
    u->open.phase = UH_UPDATE_CONFIRMED;
    (void)uh_update_save(u);
    u->report = true; /* it is valid now */
    u->step = UH_DO_SUCCEEDED;
}

/* stopped does what the server wants when it says stop. */
static void stopped(uh_updater *u) {
    if ((u->step == UH_DO_TESTING || u->step == UH_DO_TESTED) && uh_updater_unconfirmed(u)) {
        give_up(u);
        u->step = UH_DO_NOTHING;
        return;
    }
    uh_update_forget(u);
}

static void advance(uh_updater *u) {
    switch (u->step) {
    case UH_DO_ACCEPTED:
        go_on(u);
        break;
    case UH_DO_DOWNLOADING:
        u->step = UH_DO_READ;
        break;
    case UH_DO_VERIFIED:
        u->step = UH_DO_INSTALLING;
        break;
    case UH_DO_INSTALLING:
        started(u);
        break;
    case UH_DO_TESTING:
    case UH_DO_TESTED:
        tested(u);
        break;
    default:
        break;
    }
}

void uh_updater_again(uh_updater *u) { u->report = u->report || u->asked == UH_ASKED_REPORT; }

void uh_updater_answer(uh_updater *u, uh_slice frame, bool refused) {
    uh_slice v;
    uh_update_step step = u->step;
    if (u->asked == UH_ASKED_REPORT) {
        if (refused && uh_json_find(frame, "error.code", &v) == UH_OK && uh_json_is(v, "unknown_type"))
            u->off = true;
        return;
    }
    if (u->asked != UH_ASKED_STEP || u->asked_step != step)
        return; /* an offer has come in between */
    bool go = !refused && uh_json_find(frame, "data.action", &v) == UH_OK && uh_json_is(v, "continue");
    if (step == UH_DO_READ) {
        if (refused)
            uh_update_fail(u, "read: the server refuses it");
        else
            uh_update_window(u, frame);
    } else if (step == UH_DO_FAILED) {
        bool back = uh_updater_unconfirmed(u) && runs(u);
        if (back)
            give_up(u);
        else
            uh_update_forget(u);
        u->step = UH_DO_NOTHING;
        u->report = !back;
    } else if (step == UH_DO_SUCCEEDED) {
        uh_update_forget(u);
    } else if (step == UH_DO_REFUSE || step == UH_DO_DEFER) {
        u->ask_anew = u->ask_anew || (u->again && step == UH_DO_REFUSE);
        u->again = false;
        go_on(u);
    } else if (step == UH_DO_REBOOTING) {
        u->step = UH_DO_NOTHING;
        u->board->restart(u->board->ctx);
    } else if (go) {
        advance(u);
    } else {
        stopped(u);
    }
}
