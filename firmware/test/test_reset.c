#include "flash.h"
#include "test.h"
#include "unhidra/reset.h"

static const char *const gone[] = {"key", "token", "password", "ssid", "server", "ca", "nonce", "commands"};
static const char *const stays[] = {"root", "update", "boot"};

/* Wherever the power goes, the next start ends the reset, and the firmware's own values stay. */
static void cuts(void) {
    static test_values v;
    static test_flash log;
    int cut = 0;
    for (long power = 0;; power++) {
        uh_store store = test_values_make(&v);
        uh_flash flash = test_flash_make(&log, 2);
        const uh_flash *logs[] = {&flash};
        uh_reset r = {.store = &store, .logs = logs, .count = 1};
        for (size_t i = 0; i < sizeof gone / sizeof *gone; i++)
            CHECK(store.save(store.ctx, gone[i], "x", 1) == UH_OK);
        for (size_t i = 0; i < sizeof stays / sizeof *stays; i++)
            CHECK(store.save(store.ctx, stays[i], "x", 1) == UH_OK);
        CHECK(uh_reset_finish(&r) == UH_OK && test_values_has(&v, "key", "x")); /* nothing had begun */
        v.power = power;
        uh_status got = uh_reset_run(&r);
        v.power = -1;
        CHECK(uh_reset_finish(&r) == UH_OK);
        bool begun = power > 0; /* with the first write */
        CHECK(test_values_count(&v) == (begun ? 3 : 11));
        for (size_t i = 0; i < sizeof stays / sizeof *stays; i++)
            CHECK(test_values_has(&v, stays[i], "x"));
        for (size_t i = 0; begun && i < 2 * SECTOR; i++)
            if (log.b[i] != 0xFF)
                CHECK(false);
        if (got == UH_OK)
            break;
        cut++;
    }
    CHECK(cut == 10); /* eight values, and the note of the reset twice */
}

/* By the command it waits for the server to have the answer, and not for ever. */
static void due(void) {
    static test_values v;
    static uh_session s;
    static uh_commands commands;
    uh_store store = test_values_make(&v);
    uh_reset r = {.store = &store};
    char answer[UH_COMMAND_ANSWER];
    uh_action a = uh_reset_action(&r);
    CHECK(uh_commands_open(&commands, &store) == UH_OK);
    s.o.commands = &commands;
    s.connected = true;
    CHECK(a.destructive && !uh_reset_due(&r, &s));
    CHECK(uh_commands_begin(&commands, uh_slice_of("cmd_1")) == UH_OK);
    CHECK(a.run(a.ctx, uh_slice_of("{}"), answer) == UH_OK && answer[0] == '"' && answer[strlen(answer) - 1] == '"');
    CHECK(uh_commands_end(&commands, uh_slice_of("cmd_1"), UH_COMMAND_DONE, uh_slice_of(answer)) == UH_OK);
    CHECK(!uh_reset_due(&r, &s));
    s.now += 11000;
    CHECK(uh_reset_due(&r, &s));
    s.now -= 10000;
    CHECK(!uh_reset_due(&r, &s));
    CHECK(uh_commands_told(&commands, uh_slice_of("cmd_1")) == UH_OK && uh_reset_due(&r, &s));
    s.asked = UH_ASK_RESULT;
    CHECK(!uh_reset_due(&r, &s));
    s.connected = false;
    CHECK(uh_reset_due(&r, &s));
}

void test_reset(void) {
    cuts();
    due();
}
