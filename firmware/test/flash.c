#include "flash.h"

#include "test.h"

uint32_t test_random(uint32_t *state) { /* xorshift */
    uint32_t x = *state != 0 ? *state : 2463534242u;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return *state = x;
}

static uh_status flash_read(void *ctx, uint32_t at, void *b, size_t n) {
    test_flash *f = ctx;
    memcpy(b, f->b + at, n);
    return UH_OK;
}

/* power says whether there is power for another byte. */
static bool power(test_flash *f) {
    if (f->power > 0)
        f->power--;
    return f->power != 0;
}

static uh_status flash_write(void *ctx, uint32_t at, const void *b, size_t n) {
    test_flash *f = ctx;
    const uint8_t *p = b;
    for (size_t i = 0; i < n; i++) {
        if (f->power == 0)
            return UH_IO;
        f->wrong = f->wrong || (f->b[at + i] & p[i]) != p[i];
        f->b[at + i] &= p[i];
        (void)power(f);
    }
    return UH_OK;
}

static uh_status flash_erase(void *ctx, uint32_t at) {
    test_flash *f = ctx;
    f->wrong = f->wrong || at % SECTOR != 0;
    f->erased[at / SECTOR]++;
    for (size_t i = 0; i < SECTOR; i++) {
        if (f->power == 0)
            return UH_IO;
        f->b[at + i] = 0xFF;
        (void)power(f);
    }
    return UH_OK;
}

uh_flash test_flash_make(test_flash *f, uint32_t sectors) {
    uint32_t seed = 5;
    memset(f, 0, sizeof *f);
    for (size_t i = 0; i < sizeof f->b; i++)
        f->b[i] = (uint8_t)test_random(&seed);
    f->power = -1;
    return (uh_flash){f, sectors * SECTOR, SECTOR, flash_read, flash_write, flash_erase};
}

static uh_status store_load(void *ctx, const char *name, void *b, size_t cap, size_t *n) {
    test_store *s = ctx;
    (void)name;
    if (!s->has)
        return UH_MISSING;
    if (s->n > cap)
        return UH_SPACE;
    memcpy(b, s->b, s->n);
    *n = s->n;
    return UH_OK;
}

static uh_status store_save(void *ctx, const char *name, const void *b, size_t n) {
    test_store *s = ctx;
    (void)name;
    if (s->fails || n > sizeof s->b)
        return UH_IO;
    memcpy(s->b, b, n);
    s->n = n;
    s->has = true;
    s->saved++;
    return UH_OK;
}

uh_store test_store_make(test_store *s) {
    memset(s, 0, sizeof *s);
    return (uh_store){s, store_load, store_save};
}
