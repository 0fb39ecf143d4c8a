#include "unhidra/bytes.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t uh_base64_size(size_t n) { return (n + 2) / 3 * 4; }

void uh_base64(const uint8_t *in, size_t n, char *out) {
    for (; n > 0; out += 4) {
        size_t take = n < 3 ? n : 3;
        uint32_t v = (uint32_t)in[0] << 16;
        if (take > 1)
            v |= (uint32_t)in[1] << 8;
        if (take > 2)
            v |= in[2];
        in += take;
        n -= take;
        out[0] = alphabet[v >> 18];
        out[1] = alphabet[v >> 12 & 63];
        out[2] = take > 1 ? alphabet[v >> 6 & 63] : '=';
        out[3] = take > 2 ? alphabet[v & 63] : '=';
    }
}

/* value returns what a character stands for; 64: nothing. */
static uint32_t value(char c) {
    if (c >= 'A' && c <= 'Z')
        return (uint32_t)(c - 'A');
    if (c >= 'a' && c <= 'z')
        return (uint32_t)(c - 'a' + 26);
    if (c >= '0' && c <= '9')
        return (uint32_t)(c - '0' + 52);
    return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : 64;
}

uh_status uh_base64_decode(const char *in, size_t n, uint8_t *out, size_t cap, size_t *len) {
    *len = 0;
    if (n % 4 != 0)
        return UH_SYNTAX;
    for (size_t i = 0; i < n; i += 4) {
        size_t pad = 0;
        if (i + 4 == n)
            pad = in[i + 2] == '=' && in[i + 3] == '=' ? 2 : in[i + 3] == '=' ? 1 : 0;
        uint32_t v = 0;
        for (size_t k = 0; k < 4 - pad; k++) {
            uint32_t c = value(in[i + k]);
            if (c > 63)
                return UH_SYNTAX;
            v |= c << (18 - 6 * k);
        }
        if ((pad == 1 && (v & 0xFF) != 0) || (pad == 2 && (v & 0xFFFF) != 0))
            return UH_SYNTAX;
        for (size_t k = 0; k < 3 - pad; k++) {
            if (*len == cap)
                return UH_SPACE;
            out[(*len)++] = (uint8_t)(v >> (16 - 8 * k) & 0xFF);
        }
    }
    return UH_OK;
}
