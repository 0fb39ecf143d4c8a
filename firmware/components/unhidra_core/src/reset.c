#include "unhidra/reset.h"

#include "unhidra/setup.h"

#include <string.h>

enum { ANSWER_MS = 10000 };

static const char begun[] = "reset";

static uh_status run(void *ctx, uh_slice args, char answer[UH_COMMAND_ANSWER]) {
    static const char said[] = "\"it forgets all, and restarts\"";
    uh_reset *r = ctx;
    (void)args;
    r->wanted = true;
    memcpy(answer, said, sizeof said);
    return UH_OK;
}

uh_action uh_reset_action(uh_reset *r) {
    return (uh_action){.name = "factory_reset", .destructive = true, .run = run, .ctx = r};
}

bool uh_reset_due(uh_reset *r, const uh_session *s) {
    if (!r->wanted)
        return false;
    if (r->since == 0)
        r->since = s->now + 1;
    return !s->connected || s->now >= r->since + ANSWER_MS ||
           (s->asked == UH_ASK_NOTHING && uh_commands_untold(s->o.commands) == NULL);
}

/* The key goes first: nobody else must find it. */
uh_status uh_reset_run(const uh_reset *r) {
    static const char *const names[] = {"nonce", "commands"};
    const uh_store *store = r->store;
    UH_TRY(store->save(store->ctx, begun, "1", 1));
    UH_TRY(store->erase(store->ctx, "key"));
    UH_TRY(uh_setup_forget(store));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        UH_TRY(store->erase(store->ctx, names[i]));
    for (size_t i = 0; i < r->count; i++)
        for (uint32_t at = 0; at < r->logs[i]->size; at += r->logs[i]->sector)
            UH_TRY(r->logs[i]->erase(r->logs[i]->ctx, at));
    return store->erase(store->ctx, begun);
}

uh_status uh_reset_finish(const uh_reset *r) {
    char b[1];
    size_t n;
    uh_status got = r->store->load(r->store->ctx, begun, b, sizeof b, &n);
    return got == UH_MISSING ? UH_OK : got == UH_IO ? got : uh_reset_run(r);
}
