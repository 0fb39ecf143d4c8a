#include "flash.h"
#include "test.h"
#include "unhidra/commands.h"

static uh_slice id(int i) {
    static char b[16];
    sprintf(b, "cmd_%d", i);
    return uh_slice_of(b);
}

void test_commands(void) {
    test_store memory;
    uh_store store = test_store_make(&memory);
    uh_commands c;
    CHECK(uh_commands_open(&c, &store) == UH_OK && uh_commands_find(&c, id(1)) == NULL);
    CHECK(uh_commands_begin(&c, id(1)) == UH_OK && uh_commands_begin(&c, id(2)) == UH_OK);
    CHECK(uh_commands_end(&c, id(1), UH_COMMAND_DONE, uh_slice_of("{\"rpm\":900}")) == UH_OK);
    CHECK(uh_commands_end(&c, id(3), UH_COMMAND_DONE, uh_slice_of("")) == UH_MISSING);
    /* The power goes: what was done is answered as before, and what had begun is not done again. */
    CHECK(uh_commands_open(&c, &store) == UH_OK);
    const uh_command *one = uh_commands_find(&c, id(1));
    CHECK(one != NULL && one->state == UH_COMMAND_DONE && strcmp(one->answer, "{\"rpm\":900}") == 0 && !one->told);
    one = uh_commands_find(&c, id(2));
    CHECK(one != NULL && one->state == UH_COMMAND_FAILED && strstr(one->answer, "restarted") != NULL);
    CHECK(uh_commands_untold(&c) != NULL && uh_commands_told(&c, id(1)) == UH_OK);
    CHECK(uh_commands_told(&c, id(2)) == UH_OK);
    CHECK(uh_commands_untold(&c) == NULL);
    /* The oldest that the server knows of are forgotten, and none that it does not. */
    for (int i = 3; i < 3 + UH_COMMANDS; i++)
        CHECK(uh_commands_begin(&c, id(i)) == UH_OK);
    CHECK(uh_commands_find(&c, id(1)) == NULL && uh_commands_find(&c, id(3)) != NULL);
    CHECK(uh_commands_begin(&c, id(99)) == UH_FULL);
    CHECK(uh_commands_end(&c, id(5), UH_COMMAND_FAILED, uh_slice_of("no")) == UH_OK);
    CHECK(uh_commands_told(&c, id(5)) == UH_OK);
    CHECK(uh_commands_begin(&c, id(99)) == UH_OK && uh_commands_find(&c, id(5)) == NULL);
    CHECK(uh_commands_begin(&c, uh_slice_of("")) == UH_INVALID);
    /* What cannot be stored must not be carried out, and is when it comes again and can be. */
    CHECK(uh_commands_told(&c, id(99)) == UH_OK && uh_commands_told(&c, id(4)) == UH_OK);
    memory.fails = true;
    CHECK(uh_commands_begin(&c, id(100)) == UH_IO && uh_commands_find(&c, id(100)) == NULL);
    memory.fails = false;
    CHECK(uh_commands_begin(&c, id(100)) == UH_OK && uh_commands_find(&c, id(100)) != NULL);
    memory.fails = true;
    CHECK(uh_commands_end(&c, id(99), UH_COMMAND_DONE, uh_slice_of("")) == UH_IO);
    memory.fails = false;
    memory.n--; /* of another version */
    CHECK(uh_commands_open(&c, &store) == UH_OK && uh_commands_find(&c, id(99)) == NULL);
}
