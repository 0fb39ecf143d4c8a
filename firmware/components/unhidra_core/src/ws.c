#include "unhidra/ws.h"

#include <string.h>

uh_status uh_ws_seal(uint8_t *b, size_t n, uh_ws_opcode op, const uint8_t mask[4], size_t *start, size_t *total) {
    size_t head = n < 126 ? 6 : 8;
    if (n > UH_WS_MAX_PAYLOAD || (op >= UH_WS_CLOSE && n > UH_WS_MAX_CONTROL))
        return UH_SPACE;
    uint8_t *p = b + UH_WS_HEAD - head;
    p[0] = (uint8_t)(0x80 | (unsigned)op);
    if (n < 126) {
        p[1] = (uint8_t)(0x80 | n);
    } else {
        p[1] = 0x80 | 126;
        p[2] = (uint8_t)(n >> 8);
        p[3] = (uint8_t)(n & 0xFF);
    }
    memcpy(p + head - 4, mask, 4);
    for (size_t i = 0; i < n; i++)
        b[UH_WS_HEAD + i] ^= mask[i & 3];
    *start = UH_WS_HEAD - head;
    *total = head + n;
    return UH_OK;
}

void uh_ws_receive(uh_ws_receiver *r, uint8_t *b, size_t cap) {
    memset(r, 0, sizeof *r);
    r->b = b;
    r->cap = cap;
}

/* utf8 checks the next bytes of a text (RFC 3629), over the bounds of frames. */
static bool utf8(uh_ws_receiver *r, const uint8_t *in, size_t n) {
    for (; n > 0; n--, in++) {
        uint8_t c = *in;
        if (r->utf8_more > 0) {
            if (c < r->utf8_low || c > r->utf8_high)
                return false;
            r->utf8_more--;
            r->utf8_low = 0x80;
            r->utf8_high = 0xBF;
            continue;
        }
        if (c < 0x80)
            continue;
        if (c < 0xC2 || c > 0xF4)
            return false;
        r->utf8_more = c < 0xE0 ? 1 : c < 0xF0 ? 2 : 3;
        r->utf8_low = c == 0xE0 ? 0xA0 : c == 0xF0 ? 0x90 : 0x80;  /* no longer than it must be */
        r->utf8_high = c == 0xED ? 0x9F : c == 0xF4 ? 0x8F : 0xBF; /* no surrogates, and not above U+10FFFF */
    }
    return true;
}

/* begin checks the head of a frame, once it is whole. */
static uh_status begin(uh_ws_receiver *r) {
    uint8_t op = r->head[0] & 15, size = r->head[1];
    bool control = op >= 8;
    r->fin = r->head[0] >> 7;
    r->left = size;
    if (size == 126) {
        r->left = (uint64_t)r->head[2] << 8 | r->head[3];
    } else if (size == 127) {
        r->left = 0;
        for (unsigned i = 2; i < 10; i++)
            r->left = r->left << 8 | r->head[i];
    }
    if ((size == 126 && r->left < 126) || (size == 127 && (r->left < 65536 || r->left >> 63 != 0)))
        return UH_PROTOCOL;
    if (control ? op > 10 || !r->fin || size > UH_WS_MAX_CONTROL : op > 1 || (op == 0) != (r->in_message != 0))
        return UH_PROTOCOL; /* the server sends no binary messages */
    if (control) {
        r->control_len = 0;
    } else if (op == 1) {
        r->len = 0;
        r->truncated = false;
        r->in_message = 1;
    }
    r->opcode = op;
    r->in_frame = 1;
    return UH_OK;
}

/* head takes the next byte of a frame's head. */
static uh_status head(uh_ws_receiver *r, uint8_t c) {
    r->head[r->head_len++] = c;
    if (r->head_len == 1)
        return (c & 0x70) != 0 ? UH_PROTOCOL : UH_OK; /* no extension was agreed on */
    if (r->head_len == 2 && (c & 0x80) != 0)
        return UH_PROTOCOL; /* a server masks nothing */
    size_t need = r->head[1] == 126 ? 4 : r->head[1] == 127 ? 10 : 2;
    return r->head_len < need ? UH_OK : begin(r);
}

/* body takes the next bytes of a frame. */
static uh_status body(uh_ws_receiver *r, const uint8_t *in, size_t n) {
    r->left -= n;
    if (r->opcode >= 8) {
        memcpy(r->control + r->control_len, in, n);
        r->control_len = (uint8_t)(r->control_len + n);
        return UH_OK;
    }
    if (!utf8(r, in, n))
        return UH_SYNTAX;
    size_t room = r->cap - r->len;
    if (n > room) {
        r->truncated = true;
        n = room;
    }
    if (n > 0)
        memcpy(r->b + r->len, in, n);
    r->len += n;
    return UH_OK;
}

/* finish ends a frame. */
static uh_status finish(uh_ws_receiver *r, uh_ws_event *event) {
    r->in_frame = 0;
    r->head_len = 0;
    switch (r->opcode) {
    case UH_WS_CLOSE:
        *event = UH_WS_GOT_CLOSE;
        return r->control_len == 1 ? UH_PROTOCOL : UH_OK;
    case UH_WS_PING:
        *event = UH_WS_GOT_PING;
        return UH_OK;
    case UH_WS_PONG:
        *event = UH_WS_GOT_PONG;
        return UH_OK;
    default:
        if (!r->fin)
            return UH_OK;
        r->in_message = 0;
        *event = UH_WS_GOT_TEXT;
        return r->utf8_more > 0 ? UH_SYNTAX : UH_OK;
    }
}

uh_status uh_ws_feed(uh_ws_receiver *r, const uint8_t *in, size_t n, size_t *used, uh_ws_event *event) {
    *used = 0;
    *event = UH_WS_NOTHING;
    while (*event == UH_WS_NOTHING && (*used < n || (r->in_frame && r->left == 0))) {
        if (!r->in_frame) {
            UH_TRY(head(r, in[(*used)++]));
            continue;
        }
        size_t take = n - *used;
        if (take > r->left)
            take = (size_t)r->left;
        if (take > 0)
            UH_TRY(body(r, in + *used, take));
        *used += take;
        if (r->left == 0)
            UH_TRY(finish(r, event));
    }
    return UH_OK;
}

int uh_ws_close_code(const uh_ws_receiver *r) {
    return r->control_len < 2 ? 1005 : r->control[0] << 8 | r->control[1];
}
