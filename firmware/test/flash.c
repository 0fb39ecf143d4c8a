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

static uh_status store_erase(void *ctx, const char *name) {
    test_store *s = ctx;
    (void)name;
    s->has = false;
    return UH_OK;
}

uh_store test_store_make(test_store *s) {
    memset(s, 0, sizeof *s);
    return (uh_store){s, store_load, store_save, store_erase};
}

/* place_of returns where a value is, or can be; 16: there is no place. */
static size_t place_of(const test_values *v, const char *name) {
    size_t place = 16;
    for (size_t i = 16; i-- > 0;) {
        if (!v->list[i].has)
            place = i;
    }
    for (size_t i = 0; i < 16; i++)
        if (v->list[i].has && strcmp(v->list[i].name, name) == 0)
            place = i;
    return place;
}

static uh_status values_load(void *ctx, const char *name, void *b, size_t cap, size_t *n) {
    const test_values *v = ctx;
    size_t i = place_of(v, name);
    if (i == 16 || !v->list[i].has)
        return UH_MISSING;
    if (v->list[i].n > cap)
        return UH_SPACE;
    memcpy(b, v->list[i].b, *n = v->list[i].n);
    return UH_OK;
}

static bool has_power(test_values *v) { return v->power < 0 || v->power-- > 0; }

static uh_status values_save(void *ctx, const char *name, const void *b, size_t n) {
    test_values *v = ctx;
    size_t i = place_of(v, name);
    if (i == 16 || n > sizeof v->list[i].b || strlen(name) >= sizeof v->list[i].name || !has_power(v)) {
        v->power = 0;
        return UH_IO;
    }
    strcpy(v->list[i].name, name);
    memcpy(v->list[i].b, b, v->list[i].n = n);
    return v->list[i].has = true, UH_OK;
}

static uh_status values_erase(void *ctx, const char *name) {
    test_values *v = ctx;
    size_t i = place_of(v, name);
    if (i == 16 || !v->list[i].has)
        return UH_OK;
    if (!has_power(v))
        return v->power = 0, UH_IO;
    return v->list[i].has = false, UH_OK;
}

uh_store test_values_make(test_values *v) {
    memset(v, 0, sizeof *v);
    v->power = -1;
    return (uh_store){v, values_load, values_save, values_erase};
}

bool test_values_has(const test_values *v, const char *name, const char *text) {
    size_t i = place_of(v, name);
    return i < 16 && v->list[i].has && v->list[i].n == strlen(text) && memcmp(v->list[i].b, text, strlen(text)) == 0;
}

int test_values_count(const test_values *v) {
    int n = 0;
    for (size_t i = 0; i < 16; i++)
        n += v->list[i].has;
    return n;
}
