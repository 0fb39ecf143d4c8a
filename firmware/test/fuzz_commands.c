/* Commands that come, end and are told in any order, with restarts between: one that has begun never begins again as
 * long as it is remembered, and what is remembered is in order. Each line is a step: a letter and an id. */
#include <stdlib.h>
#include <string.h>

#include "flash.h"
#include "unhidra/commands.h"

int LLVMFuzzerTestOneInput(const uint8_t *b, size_t n);

static void step(uh_commands *c, const uh_store *store, char what, uh_slice id) {
    const uh_command *one = uh_commands_find(c, id);
    bool known = one != NULL;
    switch (what) {
    case 'b':
        if (!known && uh_commands_begin(c, id) == UH_OK && uh_commands_find(c, id) == NULL)
            abort();
        break;
    case 'd':
    case 'f':
        if ((uh_commands_end(c, id, what == 'd' ? UH_COMMAND_DONE : UH_COMMAND_FAILED, id) == UH_OK) &&
            (!known || strncmp(one->answer, id.b, id.n) != 0))
            abort();
        break;
    case 't':
        if ((uh_commands_told(c, id) == UH_OK) != known)
            abort();
        break;
    case 'r':
        if (uh_commands_open(c, store) != UH_OK || (uh_commands_find(c, id) != NULL) != known)
            abort();
        break;
    default: /* the flash has something else */
        (void)store->save(store->ctx, "", id.b, id.n);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *b, size_t n) {
    static test_store kept;
    static uh_commands c;
    uh_store store = test_store_make(&kept);
    if (uh_commands_open(&c, &store) != UH_OK)
        abort();
    for (size_t at = 0; at < n;) {
        const uint8_t *end = memchr(b + at, '\n', n - at);
        size_t len = end != NULL ? (size_t)(end - b) - at : n - at;
        if (len > 0) {
            bool whole = kept.has && kept.n == sizeof c.kept;
            char what = (char)b[at];
            if (what != 'r' || whole || !kept.has)
                step(&c, &store, what, (uh_slice){(const char *)b + at + 1, len - 1});
            else if (uh_commands_open(&c, &store) != UH_OK)
                abort();
        }
        for (size_t i = 0; i < UH_COMMANDS; i++)
            if (c.kept.list[i].id[UH_COMMAND_ID - 1] != '\0' || c.kept.list[i].answer[UH_COMMAND_ANSWER - 1] != '\0' ||
                c.kept.next >= UH_COMMANDS)
                abort();
        at += len + 1;
    }
    return 0;
}
