/* JSON without memory of its own: a writer into a buffer, and a reader that finds values where they are. */
#ifndef UNHIDRA_JSON_H
#define UNHIDRA_JSON_H

#include "unhidra/bytes.h"

/* A writer. What does not fit is dropped, and uh_json_end says so. */
typedef struct {
    char *b;
    size_t cap;
    size_t len;
    uint32_t filled; /* a bit for each depth: there is a value already */
    uint8_t depth;
    bool over; /* it does not fit, or is nested too deeply */
} uh_json;

void uh_json_begin(uh_json *w, char *b, size_t cap);
uh_status uh_json_end(const uh_json *w);

/* Each of these writes a value; key NULL: within an array, or as the whole. Texts must be UTF-8. */
void uh_json_open(uh_json *w, const char *key, char bracket); /* '{' or '[' */
void uh_json_close(uh_json *w, char bracket);                 /* '}' or ']' */
void uh_json_text(uh_json *w, const char *key, const char *text);
void uh_json_slice(uh_json *w, const char *key, uh_slice text);
void uh_json_int(uh_json *w, const char *key, int64_t v);
void uh_json_uint(uh_json *w, const char *key, uint64_t v);
/* uh_json_scaled writes v / 10^decimals; decimals are at most 9. */
void uh_json_scaled(uh_json *w, const char *key, int64_t v, uint8_t decimals);
void uh_json_bool(uh_json *w, const char *key, bool v);
void uh_json_base64(uh_json *w, const char *key, const uint8_t *b, size_t n);
void uh_json_raw(uh_json *w, const char *key, uh_slice json);

/* A value is a slice that begins with its first byte. Strings include their quotes. */

/* uh_json_member returns the next member of an object: *at begins with 0. UH_END: there is no further one. In an object
 * that is cut off, members before the cut are returned. key has the text between the quotes, as it was written. */
uh_status uh_json_member(uh_slice object, size_t *at, uh_slice *key, uh_slice *value);
/* uh_json_item is the same of arrays. */
uh_status uh_json_item(uh_slice array, size_t *at, uh_slice *value);
/* uh_json_get finds a member: UH_MISSING if it is not there. Names with escapes are not found. */
uh_status uh_json_get(uh_slice object, const char *key, uh_slice *value);
/* uh_json_find goes down a path of names with dots between. */
uh_status uh_json_find(uh_slice object, const char *path, uh_slice *value);

/* uh_json_string unescapes a string; out ends with a NUL, which *n does not count (n may be NULL). */
uh_status uh_json_string(uh_slice value, char *out, size_t cap, size_t *n);
/* uh_json_plain is the content of a string without escapes, where it is. */
uh_status uh_json_plain(uh_slice value, uh_slice *text);
bool uh_json_is(uh_slice value, const char *text);
uh_status uh_json_read_uint(uh_slice value, uint64_t *v);
/* uh_json_read_scaled reads a number times 10^decimals, rounded towards 0. */
uh_status uh_json_read_scaled(uh_slice value, uint8_t decimals, int64_t *v);
uh_status uh_json_read_bool(uh_slice value, bool *v);

#endif
