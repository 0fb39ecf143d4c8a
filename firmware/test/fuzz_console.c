/* A serial line on which anything comes: what is taken for a setup is one, answers are whole, and no secret stays. */
#include <stdlib.h>
#include <string.h>

#include "unhidra/setup.h"

int LLVMFuzzerTestOneInput(const uint8_t *b, size_t n);

static void hear(void *ctx, const void *b, size_t n) {
    const uint8_t *p = b;
    (void)ctx;
    if (n < 2 || p[n - 1] != '\n' || (p[0] != '{' && (n < 11 || memcmp(p, "IMPROV\x01", 7) != 0 || n != p[8] + 11u)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *b, size_t n) {
    static uh_setup s;
    static uh_console c;
    c = (uh_console){.write = hear, .firmware = "a", .version = "1", .chip = "c", .setup = &s};
    for (size_t i = 0; i < n; i++)
        if (uh_console_feed(&c, b[i])) {
            bool network = s.ssid[0] != '\0', server = s.server[0] != '\0';
            if ((!network && !server) || server != uh_is_plain(s.token) || (server && !uh_is_plain(s.server)) ||
                memchr(s.ca, '\0', sizeof s.ca) == NULL || memchr(s.password, '\0', sizeof s.password) == NULL)
                abort();
            uh_console_tried(&c, i % 2 == 0 ? UH_OK : UH_IO);
        }
    return 0;
}
