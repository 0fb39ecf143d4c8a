#include "unhidra/delta.h"

/* First come the header, a byte with the kind, the size of the image, and the sizes of heatshrink; then, compressed, a
 * format and the records: what is added to the base, what is new, and how far to move on in the base. */
enum { HEADER, KIND, SIZE, WINDOW, FORMAT, ADDED_SIZE, ADDED, EXTRA_SIZE, EXTRA, SEEK, DONE };

enum { HEADER_SIZE = 64, SEQUENTIAL_HEATSHRINK = 0x04, WINDOW_8_LOOKAHEAD_7 = 0x44, NUMBER_MOST = 5 };

void uh_delta_begin(uh_delta *d) {
    d->window_at = d->bit_count = d->stage = d->number_n = 0;
    d->bits = d->head = d->part = d->cache_n = 0;
    d->number = d->at = 0;
    d->left = d->size;
}

bool uh_delta_done(const uh_delta *d) { return d->stage == DONE; }

/* number takes a byte of a number: six bits and the sign, then seven in each. UH_AGAIN: there are more. */
static uh_status number(uh_delta *d, uint8_t b) {
    if (d->number_n == 0) {
        d->negative = (b & 0x40) != 0;
        d->number = b & 0x3F;
    } else {
        d->number |= (int64_t)(b & 0x7F) << (7 * d->number_n - 1);
    }
    d->number_n++;
    if ((b & 0x80) != 0)
        return d->number_n == NUMBER_MOST ? UH_SYNTAX : UH_AGAIN;
    d->number_n = 0;
    if (d->negative)
        d->number = -d->number;
    return UH_OK;
}

/* part begins a part whose size has come. */
static uh_status part(uh_delta *d, uint8_t body, uint8_t after) {
    if (d->number < 0 || d->number > d->left || (body == ADDED && d->number > (int64_t)d->base_size - d->at))
        return UH_SYNTAX;
    d->part = (uint32_t)d->number;
    d->stage = d->part > 0 ? body : after;
    return UH_OK;
}

static uh_status base(uh_delta *d, uint8_t *b) {
    uint32_t at = (uint32_t)d->at;
    if (d->cache_n == 0 || at < d->cache_at || at - d->cache_at >= d->cache_n) {
        uint32_t n = d->base_size - at < sizeof d->cache ? d->base_size - at : (uint32_t)sizeof d->cache;
        d->cache_n = 0;
        UH_TRY(d->read(d->ctx, at, d->cache, n));
        d->cache_at = at;
        d->cache_n = n;
    }
    *b = d->cache[at - d->cache_at];
    d->at++;
    return UH_OK;
}

static uh_status made(uh_delta *d, uint8_t b, uint8_t after) {
    UH_TRY(d->write(d->ctx, b));
    d->left--;
    if (--d->part == 0)
        d->stage = after;
    return UH_OK;
}

/* record takes a byte that was unpacked. */
static uh_status record(uh_delta *d, uint8_t b) {
    uint8_t old;
    if (d->stage == DONE)
        return UH_OK;
    if (d->stage == ADDED) {
        UH_TRY(base(d, &old));
        return made(d, (uint8_t)(old + b), EXTRA_SIZE);
    }
    if (d->stage == EXTRA)
        return made(d, b, SEEK);
    uh_status s = number(d, b);
    if (s != UH_OK)
        return s == UH_AGAIN ? UH_OK : s;
    switch (d->stage) {
    case FORMAT:
        d->stage = ADDED_SIZE;
        return d->number == 0 ? UH_OK : UH_SYNTAX;
    case ADDED_SIZE:
        return part(d, ADDED, EXTRA_SIZE);
    case EXTRA_SIZE:
        return part(d, EXTRA, SEEK);
    default:
        d->at += d->number;
        d->stage = d->left == 0 ? DONE : ADDED_SIZE;
        return d->at < 0 || d->at > d->base_size ? UH_SYNTAX : UH_OK;
    }
}

/* unpacked keeps a byte for what repeats it, and passes it on. */
static uh_status unpacked(uh_delta *d, uint8_t b) {
    d->window[d->window_at++] = b;
    return record(d, b);
}

/* unpack takes a byte that is compressed: a bit 1 and a byte, or 0, how far back (8 bits) and how many (7). */
static uh_status unpack(uh_delta *d, uint8_t b) {
    d->bits = d->bits << 8 | b;
    d->bit_count = (uint8_t)(d->bit_count + 8);
    for (;;) {
        bool literal = d->bit_count > 0 && (d->bits >> (d->bit_count - 1) & 1) != 0;
        uint8_t need = literal ? 9 : 16;
        if (d->bit_count < need)
            return UH_OK;
        d->bit_count = (uint8_t)(d->bit_count - need);
        uint32_t v = d->bits >> d->bit_count;
        if (literal) {
            UH_TRY(unpacked(d, (uint8_t)(v & 0xFF)));
            continue;
        }
        uint8_t back = (uint8_t)((v >> 7 & 0xFF) + 1); /* 256 is 0: the same place in the window */
        for (uint32_t n = (v & 0x7F) + 1; n > 0; n--)
            UH_TRY(unpacked(d, d->window[(uint8_t)(d->window_at - back)]));
    }
}

static uh_status begins(uh_delta *d, uint8_t b) {
    static const uint8_t magic[] = {0x10, 0xDE, 0xCD, 0xFC};
    if (d->head < sizeof magic && b != magic[d->head])
        return UH_SYNTAX;
    if (++d->head == HEADER_SIZE)
        d->stage = KIND;
    return UH_OK;
}

uh_status uh_delta_feed(uh_delta *d, const uint8_t *b, size_t n) {
    for (; n > 0; n--, b++) {
        uh_status s;
        switch (d->stage) {
        case HEADER:
            UH_TRY(begins(d, *b));
            break;
        case KIND:
            d->stage = SIZE;
            if (*b != SEQUENTIAL_HEATSHRINK)
                return UH_SYNTAX;
            break;
        case SIZE:
            s = number(d, *b);
            if (s == UH_OK)
                d->stage = WINDOW;
            if (s == UH_SYNTAX || (s == UH_OK && d->number != d->size))
                return UH_SYNTAX;
            break;
        case WINDOW:
            d->stage = FORMAT;
            if (*b != WINDOW_8_LOOKAHEAD_7)
                return UH_SYNTAX;
            break;
        default:
            UH_TRY(unpack(d, *b));
        }
    }
    return UH_OK;
}
