#include "flash.h"
#include "test.h"
#include "unhidra_flash.h"

static test_flash flash;

static bool is(const uh_store *s, const char *name, const char *want) {
    char b[64];
    size_t n = 0;
    uh_status got = s->load(s->ctx, name, b, sizeof b, &n);
    return want == NULL ? got == UH_MISSING : got == UH_OK && n == strlen(want) && memcmp(b, want, n) == 0;
}

static uh_status put(const uh_store *s, const char *name, const char *text) {
    return s->save(s->ctx, name, text, strlen(text));
}

static void values(void) {
    uh_flash port = test_flash_make(&flash, 2);
    uh_flash_store store;
    static char large[5000];
    CHECK(uh_flash_store_open(&store, &port) == UH_OK);
    uh_store s = uh_flash_store_port(&store);
    CHECK(is(&s, "a", NULL) && s.erase(s.ctx, "a") == UH_OK);
    CHECK(put(&s, "a", "one") == UH_OK && put(&s, "ab", "") == UH_OK && put(&s, "a", "two") == UH_OK);
    CHECK(is(&s, "a", "two") && is(&s, "ab", "") && is(&s, "b", NULL));
    CHECK(s.erase(s.ctx, "a") == UH_OK && is(&s, "a", NULL));
    char b[2];
    size_t n;
    CHECK(put(&s, "c", "long") == UH_OK && s.load(s.ctx, "c", b, sizeof b, &n) == UH_SPACE);
    CHECK(put(&s, "a name so long that it is refused", "") == UH_INVALID);
    CHECK(s.save(s.ctx, "large", large, sizeof large) == UH_FULL && is(&s, "c", "long") && is(&s, "ab", ""));
    for (int i = 0; i < 2000; i++) /* several times more than there is room for */
        CHECK(put(&s, "a", i % 2 == 0 ? "even" : "odd") == UH_OK);
    CHECK(uh_flash_store_open(&store, &port) == UH_OK && is(&s, "a", "odd") && is(&s, "ab", "") && is(&s, "c", "long"));
    CHECK(!flash.wrong && store.generation > 5 && flash.erased[0] <= store.generation && flash.erased[1] > 2);
    port.size = SECTOR;
    CHECK(uh_flash_store_open(&store, &port) == UH_INVALID);
}

/* Wherever the power goes, there is the value from before or the new one, and all others. */
static void cuts(void) {
    static test_flash start;
    uh_flash port = test_flash_make(&flash, 2);
    uh_flash_store store;
    uh_store s = uh_flash_store_port(&store);
    CHECK(uh_flash_store_open(&store, &port) == UH_OK && put(&s, "kept", "always") == UH_OK);
    while (store.end + 60 < SECTOR)
        CHECK(put(&s, "n", "before") == UH_OK);
    start = flash;
    for (long cut = 0;; cut++) {
        flash = start;
        CHECK(uh_flash_store_open(&store, &port) == UH_OK && is(&s, "n", "before"));
        flash.power = cut;
        /* The last of these copies all to the other half. */
        bool first = put(&s, "n", "first") == UH_OK, second = first && put(&s, "n", "second") == UH_OK;
        bool gone = second && s.erase(s.ctx, "n") == UH_OK, last = gone && put(&s, "n", "last") == UH_OK;
        flash.power = -1;
        CHECK(uh_flash_store_open(&store, &port) == UH_OK && is(&s, "kept", "always"));
        CHECK(is(&s, "n", last ? "last" : gone ? NULL : second ? "second" : first ? "first" : "before") ||
              is(&s, "n", gone ? "last" : second ? NULL : first ? "second" : "first"));
        CHECK(put(&s, "n", "after") == UH_OK && is(&s, "n", "after") && is(&s, "kept", "always"));
        CHECK(!flash.wrong);
        if (last)
            break;
    }
}

void test_flash_store(void) {
    values();
    cuts();
}
