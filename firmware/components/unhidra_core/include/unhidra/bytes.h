/* Numbers, checksums and encodings. Lengths are in bytes. */
#ifndef UNHIDRA_BYTES_H
#define UNHIDRA_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "unhidra/status.h"

/* A slice is a part of somebody else's memory. */
typedef struct {
    const char *b;
    size_t n;
} uh_slice;

uh_slice uh_slice_of(const char *text);
bool uh_slice_is(uh_slice s, const char *text);

void uh_put16(uint8_t *b, uint16_t v); /* little endian */
void uh_put32(uint8_t *b, uint32_t v);
void uh_put64(uint8_t *b, uint64_t v);
uint16_t uh_get16(const uint8_t *b);
uint32_t uh_get32(const uint8_t *b);
uint64_t uh_get64(const uint8_t *b);

/* uh_crc32 goes on with the CRC-32 of IEEE 802.3; it begins with 0. */
uint32_t uh_crc32(uint32_t crc, const void *b, size_t n);

#define UH_SHA1_SIZE 20
/* uh_sha1 is for the handshake of RFC 6455 alone; it protects nothing. */
void uh_sha1(const void *b, size_t n, uint8_t out[UH_SHA1_SIZE]);

/* uh_base64_size is how long n bytes become, padding included. */
size_t uh_base64_size(size_t n);
/* uh_base64 writes uh_base64_size(n) characters, and no NUL. */
void uh_base64(const uint8_t *in, size_t n, char *out);
/* uh_base64_decode reads RFC 4648 in the standard alphabet or that of URLs, padded and strict. out may be in. */
uh_status uh_base64_decode(const char *in, size_t n, uint8_t *out, size_t cap, size_t *len);

/* A sink takes bytes up to cap; what is over is counted, and not kept. Without out it only counts. */
typedef struct {
    uint8_t *out;
    size_t cap;
    size_t len;
} uh_sink;

void uh_sink_byte(uh_sink *s, uint8_t v);
void uh_sink_bytes(uh_sink *s, const void *b, size_t n);
void uh_sink_varint(uh_sink *s, uint64_t v); /* as Protocol Buffers have it */
void uh_sink_zigzag(uh_sink *s, int64_t v);

/* uh_read_varint and uh_read_zigzag read from *at, and move it. */
uh_status uh_read_varint(const uint8_t *b, size_t n, size_t *at, uint64_t *v);
uh_status uh_read_zigzag(const uint8_t *b, size_t n, size_t *at, int64_t *v);

/* uh_wipe overwrites a secret; compilers do not leave it out. */
void uh_wipe(void *b, size_t n);

#endif
