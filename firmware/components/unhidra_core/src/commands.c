#include "unhidra/commands.h"

#include <string.h>

static const char name[] = "commands";

static uh_status save(const uh_commands *c) { return c->store->save(c->store->ctx, name, &c->kept, sizeof c->kept); }

uh_status uh_commands_open(uh_commands *c, const uh_store *store) {
    static const char restarted[] = "the device restarted while it did that";
    size_t n = 0;
    memset(c, 0, sizeof *c);
    c->store = store;
    uh_status s = store->load(store->ctx, name, &c->kept, sizeof c->kept, &n);
    if (s == UH_IO)
        return s;
    if (s != UH_OK || n != sizeof c->kept || c->kept.next >= UH_COMMANDS)
        memset(&c->kept, 0, sizeof c->kept); /* there is none, or it is of another version */
    for (size_t i = 0; i < UH_COMMANDS; i++) {
        uh_command *one = &c->kept.list[i];
        one->id[sizeof one->id - 1] = one->answer[sizeof one->answer - 1] = '\0';
        if (one->state == UH_COMMAND_BEGUN) {
            one->state = UH_COMMAND_FAILED;
            memcpy(one->answer, restarted, sizeof restarted);
        }
    }
    return UH_OK;
}

static uh_command *find(uh_commands *c, uh_slice id) {
    for (size_t i = 0; i < UH_COMMANDS; i++)
        if (c->kept.list[i].state != UH_COMMAND_NONE && uh_slice_is(id, c->kept.list[i].id))
            return &c->kept.list[i];
    return NULL;
}

const uh_command *uh_commands_find(const uh_commands *c, uh_slice id) {
    for (size_t i = 0; i < UH_COMMANDS; i++)
        if (c->kept.list[i].state != UH_COMMAND_NONE && uh_slice_is(id, c->kept.list[i].id))
            return &c->kept.list[i];
    return NULL;
}

uh_status uh_commands_begin(uh_commands *c, uh_slice id) {
    if (id.n == 0 || id.n >= UH_COMMAND_ID || memchr(id.b, '\0', id.n) != NULL)
        return UH_INVALID;
    uint32_t next = c->kept.next;
    uh_command *one = NULL;
    for (size_t i = 0; i < UH_COMMANDS && one == NULL; i++) {
        uh_command *here = &c->kept.list[(c->kept.next + i) % UH_COMMANDS];
        if (here->state == UH_COMMAND_NONE || here->told) {
            one = here;
            c->kept.next = (uint32_t)((c->kept.next + i + 1) % UH_COMMANDS);
        }
    }
    if (one == NULL)
        return UH_FULL;
    uh_command before = *one;
    memset(one, 0, sizeof *one);
    memcpy(one->id, id.b, id.n);
    one->state = UH_COMMAND_BEGUN;
    uh_status saved = save(c);
    if (saved != UH_OK) { /* it has not begun, and may come again */
        *one = before;
        c->kept.next = next;
    }
    return saved;
}

uh_status uh_commands_end(uh_commands *c, uh_slice id, uh_command_state state, uh_slice answer) {
    uh_command *one = find(c, id);
    if (one == NULL)
        return UH_MISSING;
    if (answer.n >= UH_COMMAND_ANSWER)
        return UH_SPACE;
    one->state = (uint8_t)state;
    memset(one->answer, 0, sizeof one->answer);
    if (answer.n > 0)
        memcpy(one->answer, answer.b, answer.n);
    return save(c);
}

const uh_command *uh_commands_untold(const uh_commands *c) {
    for (size_t i = 0; i < UH_COMMANDS; i++) {
        const uh_command *one = &c->kept.list[i];
        if ((one->state == UH_COMMAND_DONE || one->state == UH_COMMAND_FAILED) && !one->told)
            return one;
    }
    return NULL;
}

uh_status uh_commands_told(uh_commands *c, uh_slice id) {
    uh_command *one = find(c, id);
    if (one == NULL)
        return UH_MISSING;
    one->told = 1;
    return save(c);
}
