#include <string.h>

#include "unhidra/json.h"

static bool space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

static size_t skip_space(uh_slice s, size_t at) {
    while (at < s.n && space(s.b[at]))
        at++;
    return at;
}

/* skip_string returns where a string that begins at at ends; 0: it does not. */
static size_t skip_string(uh_slice s, size_t at) {
    for (at++; at < s.n; at++) {
        if (s.b[at] == '\\')
            at++;
        else if (s.b[at] == '"')
            return at + 1;
        else if ((unsigned char)s.b[at] < 0x20)
            return 0;
    }
    return 0;
}

/* skip_plain returns where a number or a word that begins at at ends; 0: it is cut off, or none. */
static size_t skip_plain(uh_slice s, size_t at) {
    size_t from = at;
    while (at < s.n && !space(s.b[at]) && strchr(",]}:{[\"", s.b[at]) == NULL)
        at++;
    return at == from || at == s.n ? 0 : at;
}

/* skip_value returns where the value that begins at at ends; 0: it is not whole. Brackets must match, as deep as 32;
 * what is between them is only looked at as far as that needs. */
static size_t skip_value(uh_slice s, size_t at) {
    uint32_t arrays = 0; /* a bit for each depth: it is an array */
    unsigned depth = 0;
    do {
        at = skip_space(s, at);
        if (at >= s.n)
            return 0;
        char c = s.b[at];
        if (c == '"') {
            at = skip_string(s, at);
        } else if (c == '{' || c == '[') {
            if (depth == 32)
                return 0;
            arrays = arrays << 1 | (c == '[');
            depth++;
            at++;
        } else if (c == '}' || c == ']') {
            if (depth == 0 || (arrays & 1) != (c == ']'))
                return 0;
            arrays >>= 1;
            depth--;
            at++;
        } else if (c == ',' || c == ':') {
            if (depth == 0)
                return 0;
            at++;
        } else {
            at = skip_plain(s, at);
        }
        if (at == 0)
            return 0;
    } while (depth > 0);
    return at;
}

/* enter returns where the next element is, after what separates it from the one before. */
static uh_status enter(uh_slice s, size_t *at, char open, char close) {
    size_t i = *at;
    bool first = i == 0;
    if (first) {
        if (s.n == 0 || s.b[0] != open)
            return UH_SYNTAX;
        i = 1;
    }
    i = skip_space(s, i);
    if (i < s.n && s.b[i] == close)
        return UH_END;
    if (!first) {
        if (i >= s.n || s.b[i] != ',')
            return UH_SYNTAX;
        i = skip_space(s, i + 1);
    }
    if (i >= s.n)
        return UH_SYNTAX;
    *at = i;
    return UH_OK;
}

static uh_status take(uh_slice s, size_t *at, uh_slice *value) {
    size_t from = skip_space(s, *at), end = skip_value(s, from);
    if (end == 0)
        return UH_SYNTAX;
    *value = (uh_slice){s.b + from, end - from};
    *at = end;
    return UH_OK;
}

uh_status uh_json_member(uh_slice object, size_t *at, uh_slice *key, uh_slice *value) {
    UH_TRY(enter(object, at, '{', '}'));
    size_t from = *at, end;
    if (object.b[from] != '"' || (end = skip_string(object, from)) == 0)
        return UH_SYNTAX;
    *key = (uh_slice){object.b + from + 1, end - from - 2};
    end = skip_space(object, end);
    if (end >= object.n || object.b[end] != ':')
        return UH_SYNTAX;
    *at = end + 1;
    return take(object, at, value);
}

uh_status uh_json_item(uh_slice array, size_t *at, uh_slice *value) {
    UH_TRY(enter(array, at, '[', ']'));
    return take(array, at, value);
}

/* get is uh_json_get with a name that is no C string. A value that is cut off is returned as far as it goes, so that a
 * path can lead into it. */
static uh_status get(uh_slice object, uh_slice name, uh_slice *value) {
    uh_slice key = {NULL, 0};
    for (size_t at = 0;;) {
        uh_status s = uh_json_member(object, &at, &key, value);
        if (s == UH_END)
            return UH_MISSING;
        bool found = key.n == name.n && key.n > 0 && memcmp(key.b, name.b, key.n) == 0;
        if (s != UH_OK) {
            at = skip_space(object, at);
            if (!found || at >= object.n || object.b[at] != '{')
                return UH_SYNTAX;
            *value = (uh_slice){object.b + at, object.n - at};
            return UH_OK;
        }
        if (found)
            return UH_OK;
        key.n = 0;
    }
}

uh_status uh_json_get(uh_slice object, const char *key, uh_slice *value) {
    return get(object, uh_slice_of(key), value);
}

uh_status uh_json_find(uh_slice object, const char *path, uh_slice *value) {
    *value = object;
    for (;;) {
        const char *dot = strchr(path, '.');
        UH_TRY(get(*value, (uh_slice){path, dot != NULL ? (size_t)(dot - path) : strlen(path)}, value));
        if (dot == NULL)
            return UH_OK;
        path = dot + 1;
    }
}

uh_status uh_json_plain(uh_slice value, uh_slice *text) {
    if (value.n < 2 || value.b[0] != '"' || value.b[value.n - 1] != '"')
        return UH_SYNTAX;
    *text = (uh_slice){value.b + 1, value.n - 2};
    return memchr(text->b, '\\', text->n) == NULL ? UH_OK : UH_SYNTAX;
}

bool uh_json_is(uh_slice value, const char *text) {
    uh_slice s;
    return uh_json_plain(value, &s) == UH_OK && uh_slice_is(s, text);
}

/* hex4 reads four hexadecimal digits. */
static uh_status hex4(const char *b, uint32_t *v) {
    *v = 0;
    for (unsigned i = 0; i < 4; i++) {
        char c = b[i];
        unsigned d = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                     : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
                     : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A' + 10)
                                            : 16;
        if (d > 15)
            return UH_SYNTAX;
        *v = *v << 4 | d;
    }
    return UH_OK;
}

static size_t encode(uint32_t v, char b[4]) {
    if (v < 0x80) {
        b[0] = (char)v;
        return 1;
    }
    size_t n = v < 0x800 ? 2 : v < 0x10000 ? 3 : 4;
    static const uint8_t lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = n - 1; i > 0; i--, v >>= 6)
        b[i] = (char)(0x80 | (v & 0x3F));
    b[0] = (char)(lead[n] | v);
    return n;
}

/* unescape reads what follows a backslash at s.b[*at], and moves *at behind it. */
static uh_status unescape(uh_slice s, size_t *at, char b[4], size_t *n) {
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    char c = s.b[++*at];
    ++*at;
    *n = 1;
    if (c != 'u') {
        const char *p = strchr(from, c);
        if (p == NULL || c == '\0')
            return UH_SYNTAX;
        b[0] = to[p - from];
        return UH_OK;
    }
    uint32_t v, low;
    if (s.n - *at < 4)
        return UH_SYNTAX;
    UH_TRY(hex4(s.b + *at, &v));
    *at += 4;
    if (v >= 0xD800 && v < 0xE000) { /* one of a pair */
        if (v >= 0xDC00 || s.n - *at < 6 || s.b[*at] != '\\' || s.b[*at + 1] != 'u')
            return UH_SYNTAX;
        UH_TRY(hex4(s.b + *at + 2, &low));
        if (low < 0xDC00 || low > 0xDFFF)
            return UH_SYNTAX;
        *at += 6;
        v = 0x10000 + ((v - 0xD800) << 10) + (low - 0xDC00);
    }
    *n = encode(v, b);
    return UH_OK;
}

uh_status uh_json_string(uh_slice value, char *out, size_t cap, size_t *n) {
    if (value.n < 2 || value.b[0] != '"' || value.b[value.n - 1] != '"')
        return UH_SYNTAX;
    uh_slice s = {value.b + 1, value.n - 2};
    size_t len = 0;
    for (size_t at = 0; at < s.n;) {
        char b[4] = {s.b[at]};
        size_t more = 1;
        if (s.b[at] == '\\')
            UH_TRY(unescape(s, &at, b, &more));
        else
            at++;
        if (len + more >= cap)
            return UH_SPACE;
        memcpy(out + len, b, more);
        len += more;
    }
    if (len >= cap)
        return UH_SPACE;
    out[len] = '\0';
    if (n != NULL)
        *n = len;
    return UH_OK;
}

uh_status uh_json_read_uint(uh_slice value, uint64_t *v) {
    if (value.n == 0 || (value.n > 1 && value.b[0] == '0'))
        return UH_SYNTAX;
    *v = 0;
    for (size_t i = 0; i < value.n; i++) {
        unsigned d = (unsigned)(value.b[i] - '0');
        if (value.b[i] < '0' || d > 9 || *v > (UINT64_MAX - d) / 10)
            return UH_SYNTAX;
        *v = *v * 10 + d;
    }
    return UH_OK;
}

uh_status uh_json_read_scaled(uh_slice value, uint8_t decimals, int64_t *v) {
    size_t i = value.n > 0 && value.b[0] == '-', from = i, left = decimals;
    bool point = false;
    uint64_t sum = 0;
    for (; i < value.n; i++) {
        char c = value.b[i];
        if (c == '.' && !point && i > from) {
            point = true;
            continue;
        }
        if (c < '0' || c > '9')
            return UH_SYNTAX; /* also exponents, which devices' arguments do not have */
        if (point && left == 0)
            continue;
        left -= point;
        if (sum > (INT64_MAX - 9) / 10)
            return UH_SYNTAX;
        sum = sum * 10 + (uint64_t)(c - '0');
    }
    if (value.n == from)
        return UH_SYNTAX;
    for (; left > 0; left--) {
        if (sum > INT64_MAX / 10)
            return UH_SYNTAX;
        sum *= 10;
    }
    *v = value.b[0] == '-' ? -(int64_t)sum : (int64_t)sum;
    return UH_OK;
}

uh_status uh_json_read_bool(uh_slice value, bool *v) {
    *v = uh_slice_is(value, "true");
    return *v || uh_slice_is(value, "false") ? UH_OK : UH_SYNTAX;
}
