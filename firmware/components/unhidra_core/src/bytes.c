#include "unhidra/bytes.h"

#include <string.h>

uh_slice uh_slice_of(const char *text) { return (uh_slice){text, strlen(text)}; }

bool uh_slice_is(uh_slice s, const char *text) { return strlen(text) == s.n && memcmp(s.b, text, s.n) == 0; }

void uh_put16(uint8_t *b, uint16_t v) {
    b[0] = (uint8_t)(v & 0xFF);
    b[1] = (uint8_t)(v >> 8);
}

void uh_put32(uint8_t *b, uint32_t v) {
    uh_put16(b, (uint16_t)(v & 0xFFFF));
    uh_put16(b + 2, (uint16_t)(v >> 16));
}

void uh_put64(uint8_t *b, uint64_t v) {
    uh_put32(b, (uint32_t)(v & 0xFFFFFFFF));
    uh_put32(b + 4, (uint32_t)(v >> 32));
}

uint16_t uh_get16(const uint8_t *b) { return (uint16_t)(b[0] | b[1] << 8); }

uint32_t uh_get32(const uint8_t *b) { return (uint32_t)uh_get16(b) | (uint32_t)uh_get16(b + 2) << 16; }

uint64_t uh_get64(const uint8_t *b) { return (uint64_t)uh_get32(b) | (uint64_t)uh_get32(b + 4) << 32; }

uint32_t uh_crc32(uint32_t crc, const void *b, size_t n) {
    static const uint32_t table[16] = {
        0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC, 0x76DC4190, 0x6B6B51F4, 0x4DB26158, 0x5005713C,
        0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C, 0x9B64C2B0, 0x86D3D2D4, 0xA00AE278, 0xBDBDF21C,
    };
    const uint8_t *p = b;
    crc = ~crc;
    while (n-- > 0) {
        crc ^= *p++;
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}

static uint32_t rotate(uint32_t v, unsigned by) { return v << by | v >> (32 - by); }

/* sha1_block hashes 64 bytes (RFC 3174). Its words are a ring of 16, so that the stack stays small. */
static void sha1_block(uint32_t h[5], const uint8_t *b) {
    uint32_t w[16], a = h[0], c = h[1], d = h[2], e = h[3], f = h[4];
    for (unsigned i = 0; i < 16; i++)
        w[i] = (uint32_t)b[4 * i] << 24 | (uint32_t)b[4 * i + 1] << 16 | (uint32_t)b[4 * i + 2] << 8 | b[4 * i + 3];
    for (unsigned i = 0; i < 80; i++) {
        uint32_t mix, k;
        if (i >= 16)
            w[i & 15] = rotate(w[(i + 13) & 15] ^ w[(i + 8) & 15] ^ w[(i + 2) & 15] ^ w[i & 15], 1);
        if (i < 20) {
            mix = (c & d) | (~c & e);
            k = 0x5A827999;
        } else if (i < 40) {
            mix = c ^ d ^ e;
            k = 0x6ED9EBA1;
        } else if (i < 60) {
            mix = (c & d) | (c & e) | (d & e);
            k = 0x8F1BBCDC;
        } else {
            mix = c ^ d ^ e;
            k = 0xCA62C1D6;
        }
        uint32_t next = rotate(a, 5) + mix + f + k + w[i & 15];
        f = e;
        e = d;
        d = rotate(c, 30);
        c = a;
        a = next;
    }
    h[0] += a;
    h[1] += c;
    h[2] += d;
    h[3] += e;
    h[4] += f;
}

void uh_sha1(const void *b, size_t n, uint8_t out[UH_SHA1_SIZE]) {
    uint32_t h[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
    const uint8_t *p = b;
    size_t left = n;
    for (; left >= 64; left -= 64, p += 64)
        sha1_block(h, p);
    uint8_t last[64] = {0};
    memcpy(last, p, left);
    last[left] = 0x80;
    if (left >= 56) {
        sha1_block(h, last);
        memset(last, 0, sizeof last);
    }
    uint64_t bits = (uint64_t)n * 8;
    for (unsigned i = 0; i < 8; i++)
        last[63 - i] = (uint8_t)(bits >> (8 * i) & 0xFF);
    sha1_block(h, last);
    for (unsigned i = 0; i < UH_SHA1_SIZE; i++)
        out[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)) & 0xFF);
}

void uh_sink_byte(uh_sink *s, uint8_t v) {
    if (s->out != NULL && s->len < s->cap)
        s->out[s->len] = v;
    s->len++;
}

void uh_sink_bytes(uh_sink *s, const void *b, size_t n) {
    const uint8_t *p = b;
    while (n-- > 0)
        uh_sink_byte(s, *p++);
}

void uh_sink_varint(uh_sink *s, uint64_t v) {
    for (; v >= 0x80; v >>= 7)
        uh_sink_byte(s, (uint8_t)(v & 0x7F) | 0x80);
    uh_sink_byte(s, (uint8_t)v);
}

void uh_sink_zigzag(uh_sink *s, int64_t v) {
    uint64_t twice = (uint64_t)v << 1;
    uh_sink_varint(s, v < 0 ? ~twice : twice);
}

uh_status uh_read_varint(const uint8_t *b, size_t n, size_t *at, uint64_t *v) {
    *v = 0;
    for (unsigned shift = 0; *at < n && shift < 64; shift += 7) {
        uint8_t c = b[(*at)++];
        if (shift == 63 && c > 1)
            return UH_SYNTAX;
        *v |= (uint64_t)(c & 0x7F) << shift;
        if (c < 0x80)
            return UH_OK;
    }
    return UH_SYNTAX;
}

uh_status uh_read_zigzag(const uint8_t *b, size_t n, size_t *at, int64_t *v) {
    uint64_t u;
    UH_TRY(uh_read_varint(b, n, at, &u));
    *v = (u & 1) != 0 ? -(int64_t)(u >> 1) - 1 : (int64_t)(u >> 1);
    return UH_OK;
}

void uh_wipe(void *b, size_t n) {
    volatile uint8_t *p = b;
    while (n-- > 0)
        *p++ = 0;
}
