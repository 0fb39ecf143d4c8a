/* Values are within what was read, and a string that is written anew is read as the same. */
#include <stdlib.h>
#include <string.h>

#include "unhidra/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *b, size_t n);

static void strings(uh_slice v) {
    char text[256], again[2000], back[256];
    size_t len, len2;
    if (uh_json_string(v, text, sizeof text, &len) != UH_OK)
        return;
    uh_json w;
    uh_json_begin(&w, again, sizeof again);
    uh_json_slice(&w, NULL, (uh_slice){text, len});
    if (uh_json_end(&w) != UH_OK || uh_json_string((uh_slice){again, w.len}, back, sizeof back, &len2) != UH_OK ||
        len != len2 || memcmp(text, back, len) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *b, size_t n) {
    uh_slice all = {(const char *)b, n}, k, v;
    uint64_t u;
    int64_t i;
    bool t;
    static const char *const paths[] = {"type", "data.me.id", "data.id", "data.args", "error.kind"};
    for (size_t p = 0; p < sizeof paths / sizeof *paths; p++)
        if (uh_json_find(all, paths[p], &v) == UH_OK) {
            if (v.n == 0 || v.b < all.b || v.b + v.n > all.b + all.n)
                abort();
            strings(v);
        }
    for (size_t at = 0; uh_json_member(all, &at, &k, &v) == UH_OK;) {
        strings(v);
        (void)uh_json_read_uint(v, &u);
        (void)uh_json_read_scaled(v, 3, &i);
        (void)uh_json_read_bool(v, &t);
        uh_slice item;
        for (size_t in = 0; uh_json_item(v, &in, &item) == UH_OK;)
            strings(item);
    }
    return 0;
}
