#include "flash.h"
#include "test.h"
#include "unhidra/ring.h"

static test_flash flash;

/* text makes the record number i, some of which are long. */
static size_t text(uint32_t i, uint8_t *b) {
    size_t n = 4 + (i * 37) % 90 + (i % 11 == 0 ? 160 : 0);
    for (size_t k = 4; k < n; k++)
        b[k] = (uint8_t)(i + k);
    uh_put32(b, i);
    return n;
}

/* expect reads what is unreleased: the records from first to last-1, each as it was appended. */
static void expect(uh_ring *r, uint32_t first, uint32_t last) {
    uint8_t b[UH_RING_MAX], want[UH_RING_MAX], kind;
    size_t n;
    uh_ring_place p = r->tail;
    for (uint32_t i = first; i < last; i++) {
        CHECK(uh_ring_next(r, &p, &kind, b, &n) == UH_OK);
        CHECK(kind == i % 3 && n == text(i, want) && memcmp(b, want, n) == 0 && p.tag == 100 + i / 50);
    }
    CHECK(uh_ring_next(r, &p, &kind, b, &n) == UH_END);
    CHECK(uh_ring_empty(r) == (first == last));
}

static uh_status append(uh_ring *r, uint32_t i) {
    uint8_t b[UH_RING_MAX];
    if (r->tag != 100 + i / 50)
        UH_TRY(uh_ring_tag(r, 100 + i / 50));
    size_t n = text(i, b);
    return uh_ring_append(r, (uint8_t)(i % 3), b, n);
}

/* release lets go of all before a record. */
static uh_status release(uh_ring *r, uint32_t first) {
    uint8_t b[UH_RING_MAX], kind;
    size_t n;
    uh_ring_place p = r->tail, before = p;
    while (uh_ring_next(r, &p, &kind, b, &n) == UH_OK && uh_get32(b) < first)
        before = p;
    return uh_ring_release(r, before);
}

/* Wherever in writing, erasing or releasing the power goes, what was appended is there afterwards, in order, and the
 * log goes on. */
static void cuts(void) {
    enum { BEFORE = 350, MORE = 90 };
    uh_flash port = test_flash_make(&flash, 5);
    uh_ring r;
    CHECK(uh_ring_open(&r, &port, UH_KEEP_NEWEST) == UH_OK);
    for (uint32_t i = 0; i < BEFORE; i++)
        CHECK(append(&r, i) == UH_OK && (i % 20 != 0 || release(&r, i) == UH_OK));
    CHECK(release(&r, BEFORE) == UH_OK && r.lost == 0 && r.newest > 3);
    static test_flash start, ended;
    start = flash;
    long all = 1;
    for (long cut = 0; cut < all; cut++) {
        flash = start;
        CHECK(uh_ring_open(&r, &port, UH_KEEP_NEWEST) == UH_OK);
        flash.power = cut;
        uint32_t done = BEFORE, released = BEFORE;
        for (; done < BEFORE + MORE && append(&r, done) == UH_OK; done++)
            if (done % 25 == 0 && release(&r, done - 3) == UH_OK)
                released = done - 3;
        if (cut == 0) { /* once to its end, to know how many bytes there are */
            flash = start;
            flash.power = 1 << 30;
            uh_ring all_of_it;
            CHECK(uh_ring_open(&all_of_it, &port, UH_KEEP_NEWEST) == UH_OK);
            for (uint32_t i = BEFORE; i < BEFORE + MORE; i++)
                CHECK(append(&all_of_it, i) == UH_OK && (i % 25 != 0 || release(&all_of_it, i - 3) == UH_OK));
            all = (1 << 30) - flash.power;
            continue;
        }
        ended = flash;
        for (int again = 0; again < 2; again++) { /* opening it does not change what is there */
            flash = ended;
            flash.power = -1;
            CHECK(uh_ring_open(&r, &port, UH_KEEP_NEWEST) == UH_OK);
            uint8_t b[UH_RING_MAX], kind;
            size_t n;
            uh_ring_place p = r.tail;
            uint32_t first = uh_ring_next(&r, &p, &kind, b, &n) == UH_OK ? uh_get32(b) : done;
            /* What is released in the moment of the cut may come again, and no record is missing. */
            CHECK(first <= done && (first == released || first + 28 >= released));
            CHECK(first >= BEFORE);
            uint32_t next = first;
            for (p = r.tail; uh_ring_next(&r, &p, &kind, b, &n) == UH_OK;)
                next = uh_get32(b) + 1;
            CHECK(next == done || next == done + 1); /* the one that was being written may be there as a whole */
            expect(&r, first, next);
            CHECK(append(&r, next) == UH_OK);
            expect(&r, first, next + 1);
        }
        CHECK(!flash.wrong);
        if (test_failures > 20)
            return;
    }
    CHECK(all > 8192); /* more than a sector was begun */
}

/* A full log keeps the newest, or the oldest, as it was told. */
static void policies(void) {
    uh_flash port = test_flash_make(&flash, 4);
    uh_ring r;
    CHECK(uh_ring_open(&r, &port, UH_KEEP_NEWEST) == UH_OK);
    uint32_t i = 0;
    for (; i < 1000; i++)
        CHECK(append(&r, i) == UH_OK);
    CHECK(r.lost > 700 && r.lost < 1000);
    expect(&r, r.lost, 1000);
    uh_ring_place early = {1, 20, 0};
    uint8_t b[UH_RING_MAX], kind;
    size_t n;
    CHECK(uh_ring_next(&r, &early, &kind, b, &n) == UH_OK && uh_get32(b) == r.lost);

    port = test_flash_make(&flash, 4);
    CHECK(uh_ring_open(&r, &port, UH_KEEP_OLDEST) == UH_OK);
    uh_status s = UH_OK;
    for (i = 0; i < 1000 && s == UH_OK; i++)
        s = append(&r, i);
    CHECK(s == UH_FULL && r.lost == 0);
    expect(&r, 0, i - 1);
    CHECK(release(&r, i / 2) == UH_OK || r.tail.sector > r.oldest);
    CHECK(append(&r, i - 1) == UH_OK);
    expect(&r, i / 2, i);
    CHECK(uh_ring_open(&r, &port, UH_KEEP_OLDEST) == UH_OK && r.lost == 0);
    CHECK(uh_ring_append(&r, 0x80, b, 1) == UH_INVALID && uh_ring_append(&r, 1, b, UH_RING_MAX + 1) == UH_INVALID);
    port.size = 2 * SECTOR;
    CHECK(uh_ring_open(&r, &port, UH_KEEP_OLDEST) == UH_INVALID);
}

/* A bit that flips costs the rest of its sector, and nothing else. */
static void broken(void) {
    uh_flash port = test_flash_make(&flash, 8);
    uh_ring r;
    CHECK(uh_ring_open(&r, &port, UH_KEEP_NEWEST) == UH_OK);
    for (uint32_t i = 0; i < 250; i++)
        CHECK(append(&r, i) == UH_OK);
    flash.b[2 * SECTOR + 2000] ^= 1;
    CHECK(uh_ring_open(&r, &port, UH_KEEP_NEWEST) == UH_OK);
    uint8_t b[UH_RING_MAX], kind;
    size_t n;
    uint32_t seen = 0, last = 0;
    for (uh_ring_place p = r.tail; uh_ring_next(&r, &p, &kind, b, &n) == UH_OK; seen++) {
        CHECK(seen == 0 || uh_get32(b) > last);
        last = uh_get32(b);
    }
    CHECK(last == 249 && seen > 180 && seen < 250 && r.broken == 1);
}

/* A marker that leads out of its sector is not followed: what is there comes again. */
static void astray(void) {
    static const uint32_t places[] = {19, SECTOR + 1, UINT32_MAX - 7, UINT32_MAX};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        uh_flash port = test_flash_make(&flash, 3);
        uh_ring r;
        uint8_t b[UH_RING_MAX], kind;
        size_t n;
        CHECK(uh_ring_open(&r, &port, UH_KEEP_NEWEST) == UH_OK && uh_ring_append(&r, 1, "one", 3) == UH_OK);
        r.tail.at = 0;
        CHECK(uh_ring_release(&r, (uh_ring_place){1, places[i], 0}) == UH_OK);
        CHECK(uh_ring_open(&r, &port, UH_KEEP_NEWEST) == UH_OK && !uh_ring_empty(&r));
        uh_ring_place p = r.tail;
        CHECK(uh_ring_next(&r, &p, &kind, b, &n) == UH_OK && n == 3 && memcmp(b, "one", 3) == 0);
    }
}

/* A day of readings each 10 seconds, of which a quarter of an hour is sent at a time, wears no sector of 64 KiB by more
 * than 5 erasures: 100,000 of them last for more than 50 years. */
static void wear(void) {
    uh_flash port = test_flash_make(&flash, 16);
    uh_ring r;
    uint8_t b[20] = {0};
    CHECK(uh_ring_open(&r, &port, UH_KEEP_NEWEST) == UH_OK);
    for (uint32_t i = 0; i < 24 * 360; i++) {
        CHECK(uh_ring_append(&r, 1, b, sizeof b) == UH_OK);
        if (i % 90 == 89)
            CHECK(uh_ring_release(&r, (uh_ring_place){r.newest, r.at, r.tag}) == UH_OK);
    }
    uint32_t most = 0, least = UINT32_MAX;
    for (size_t i = 0; i < 16; i++) {
        most = flash.erased[i] > most ? flash.erased[i] : most;
        least = flash.erased[i] < least ? flash.erased[i] : least;
    }
    CHECK(most <= 5 && most - least <= 1 && r.lost == 0);
}

void test_ring(void) {
    cuts();
    policies();
    broken();
    astray();
    wear();
}
