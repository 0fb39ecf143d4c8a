#include "update.h"

enum { EVERY_MS = 5000, DEFER_S = 900 };

/* size_of is the size of what is fetched. */
static uint32_t size_of(const uh_updater *u) { return u->patch_size != 0 ? u->patch_size : u->open.taken.size; }

/* progress writes the data of firmware.progress. */
static void progress(const uh_updater *u, uh_json *w) {
    static const char *const names[] = {"", "accepted", "downloading", "", "verified", "installing", "rebooting",
                                        "testing", "testing", "succeeded", "failed", "", "deferred"};
    bool other = u->step == UH_DO_REFUSE || u->step == UH_DO_DEFER;
    uh_json_text(w, "update", other ? u->about : u->open.taken.update);
    uh_json_text(w, "state", u->step != UH_DO_REFUSE ? names[u->step] : u->again ? "failed" : "rejected");
    if (u->step == UH_DO_DOWNLOADING) {
        uh_json_uint(w, "offset", u->at);
        uh_json_uint(w, "size", size_of(u));
    }
    if (u->step == UH_DO_REFUSE || u->step == UH_DO_FAILED)
        uh_json_text(w, "reason", u->reason);
    if (u->step == UH_DO_DEFER) {
        uh_json_text(w, "reason", "busy");
        uh_json_uint(w, "retry_in", DEFER_S);
    }
}

static void read_window(const uh_updater *u, uh_json *w) {
    char hex[2 * UH_SHA256_SIZE + 1];
    uint32_t left = size_of(u) - u->at;
    uh_hex(u->patch_size != 0 ? u->patch_sha256 : u->open.taken.sha256, UH_SHA256_SIZE, hex);
    uh_json_text(w, "update", u->open.taken.update);
    uh_json_text(w, "sha256", hex);
    uh_json_uint(w, "offset", u->at);
    uh_json_uint(w, "length", left < u->window ? left : u->window);
}

static void report(const uh_updater *u, uh_json *w) {
    static const char *const states[] = {"new",     "pending_verify", "valid",    "invalid",
                                         "aborted", "undefined",      "undefined"};
    const uh_running *r = &u->board->running;
    char hex[2 * UH_SHA256_SIZE + 1];
    uh_slot_state state = uh_update_taken_back(u) ? u->board->other(u->board->ctx) : u->board->state(u->board->ctx);
    uh_hex(r->sha256, UH_SHA256_SIZE, hex);
    uh_json_text(w, "product", r->product);
    uh_json_text(w, "chip", r->chip);
    uh_json_uint(w, "revision", r->revision);
    uh_json_text(w, "version", r->version);
    uh_json_uint(w, "version_code", r->version_code);
    uh_json_text(w, "sha256", hex);
    uh_json_uint(w, "secure_version", r->secure_version);
    uh_json_text(w, "slot_state", states[state]);
    uh_json_text(w, "reset_reason", r->reset_reason);
    uh_json_bool(w, "rollback_capable", true);
    uh_json_text(w, "nonce", u->nonce);
    uh_json_uint(w, "root_version", u->root.version);
    uh_json_open(w, "features", '[');
    uh_json_text(w, NULL, "windows");
    if (u->board->read_running != NULL)
        uh_json_text(w, NULL, "detools-heatshrink");
    uh_json_close(w, ']');
    if (u->open.phase != UH_UPDATE_NONE)
        uh_json_text(w, "update", u->open.taken.update);
}

const char *uh_updater_due(uh_updater *u, uint64_t now) {
    u->asked = UH_ASKED_NOTHING;
    if (u->off)
        return NULL;
    if (u->report || (u->ask_anew && u->step == UH_DO_NOTHING)) {
        u->asked = UH_ASKED_REPORT;
        return "firmware";
    }
    if (u->step == UH_DO_NOTHING)
        return NULL;
    if (u->step == UH_DO_READ && now - u->told_at >= EVERY_MS)
        u->step = UH_DO_DOWNLOADING;
    u->asked = UH_ASKED_STEP;
    u->asked_step = u->step;
    return u->step == UH_DO_READ ? "firmware.read" : "firmware.progress";
}

void uh_updater_write(uh_updater *u, uint64_t now, uh_json *w) {
    if (u->asked == UH_ASKED_REPORT) {
        u->report = u->ask_anew = false;
        report(u, w);
    } else if (u->step == UH_DO_READ) {
        read_window(u, w);
    } else {
        u->told_at = now;
        progress(u, w);
    }
}
