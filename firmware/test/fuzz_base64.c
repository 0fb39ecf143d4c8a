/* What is decoded becomes the same text again, but for the alphabet of URLs, also where it is decoded in its place. */
#include <stdlib.h>
#include <string.h>

#include "unhidra/bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *b, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *b, size_t n) {
    uint8_t *out = malloc(n + 1);
    char *text = malloc(n + 4), *place = malloc(n + 1);
    size_t len, len2;
    uh_status got = uh_base64_decode((const char *)b, n, out, n, &len);
    memcpy(place, b, n);
    if (uh_base64_decode(place, n, (uint8_t *)place, n, &len2) != got || (got == UH_OK && len != len2))
        abort();
    if (got == UH_OK) {
        if (memcmp(out, place, len) != 0 || uh_base64_size(len) != n)
            abort();
        uh_base64(out, len, text);
        for (size_t i = 0; i < n; i++)
            if (text[i] != (b[i] == '-' ? '+' : b[i] == '_' ? '/' : (char)b[i]))
                abort();
        if (len > 0 && uh_base64_decode((const char *)b, n, out, len - 1, &len2) != UH_SPACE)
            abort();
    }
    free(out);
    free(text);
    free(place);
    return 0;
}
