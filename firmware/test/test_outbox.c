#include "flash.h"
#include "test.h"
#include "unhidra/outbox.h"

static uh_status none(void *ctx, int64_t *v) {
    (void)ctx;
    *v = 0;
    return UH_OK;
}

static const uh_sensor list[] = {
    {.id = 7, .kind = UH_NUMBER, .decimals = 1, .name = "temperature", .unit = "Cel", .period_ms = 1, .read = none},
    {.id = 9, .kind = UH_BOOL, .name = "relay", .period_ms = 1, .read = none},
};
static const uh_sensors sensors = {list, NULL, 2};
static test_flash flash;
static uint8_t scratch[4096], out[4096];

static void fill(uh_outbox *o) {
    static const uint64_t times[] = {60000, 70000, 80000, 90001};
    static const int64_t air[] = {214, 214, 215, 213}, relay[] = {0, -1, 1, 1};
    for (size_t i = 0; i < 4; i++) {
        uh_reading r[] = {{7, UH_NUMBER, 1, air[i]}, {9, UH_BOOL, 0, relay[i]}};
        CHECK(uh_outbox_add(o, times[i], r, relay[i] < 0 ? 1 : 2) == UH_OK);
    }
}

/* The example of docs/packed.md, byte for byte. */
static void packs(void) {
    static const uint8_t want[] =
        "\xa8\x01\x07\x02\x18\x28\x03\x04\x04\x82\x6btemperature\x65relay\x05\x58\x1d"
        "\xc0\xa9\x07\x9f\x8d\x06\x00\x00\x02\x00\x01\x01\x06\xac\x03\x00\x00\x02\x03\x01\x02\x80\x06\x0d\x00\x00"
        "\x02\x00\x00\x07\x81\x63" "Cel\x09\xf5\x0a\x1a\x00\x01\x73\x18";
    uh_flash port = test_flash_make(&flash, 4);
    uh_ring ring;
    uh_outbox o;
    uh_batch batch;
    size_t n;
    CHECK(uh_ring_open(&ring, &port, UH_KEEP_NEWEST) == UH_OK);
    CHECK(uh_outbox_open(&o, &ring, &sensors, 7) == UH_OK);
    CHECK(uh_outbox_batch(&o, 0, scratch, sizeof scratch, out, sizeof out, &n, &batch) == UH_END);
    o.seq = 40;
    fill(&o);
    CHECK(uh_outbox_batch(&o, 95000, scratch, sizeof scratch, out, sizeof out, &n, &batch) == UH_OK);
    CHECK(n == sizeof want - 1 && memcmp(out, want, n) == 0 && batch.count == 4 && batch.first == 40 && !batch.old);
    for (size_t cap = 0; cap < sizeof want - 1; cap++) { /* fewer, if all do not fit, and nothing beyond the end */
        out[cap] = 0xEE;
        uh_status s = uh_outbox_batch(&o, 95000, scratch, sizeof scratch, out, cap, &n, &batch);
        CHECK((s == UH_SPACE || (s == UH_OK && n <= cap && batch.count < 4)) && out[cap] == 0xEE);
    }
    /* A gap is sent again, and what the server has is not. */
    CHECK(uh_outbox_batch(&o, 95000, scratch, sizeof scratch, out, sizeof out, &n, &batch) == UH_OK);
    CHECK(uh_outbox_acked(&o, &batch, 42) == UH_OK);
    CHECK(uh_outbox_batch(&o, 400000, scratch, sizeof scratch, out, sizeof out, &n, &batch) == UH_OK);
    CHECK(batch.first == 42 && batch.count == 2 && batch.old);
    CHECK(uh_outbox_acked(&o, &batch, UH_NOTHING_MISSING) == UH_OK && uh_ring_empty(&ring));
    CHECK(uh_outbox_batch(&o, 400000, scratch, sizeof scratch, out, sizeof out, &n, &batch) == UH_END);
    /* The last number that there is, is released as well. */
    uh_reading one = {7, UH_NUMBER, 1, 214};
    o.seq = UINT32_MAX;
    CHECK(uh_outbox_add(&o, 400000, &one, 1) == UH_OK);
    CHECK(uh_outbox_batch(&o, 400001, scratch, sizeof scratch, out, sizeof out, &n, &batch) == UH_OK);
    CHECK(batch.first == UINT32_MAX && uh_outbox_acked(&o, &batch, UH_NOTHING_MISSING) == UH_OK);
    CHECK(uh_ring_empty(&ring));
}

/* has says whether a batch has these bytes. */
static bool has(size_t n, const void *b, size_t len) {
    for (size_t i = 0; i + len <= n; i++)
        if (memcmp(out + i, b, len) == 0)
            return true;
    return false;
}

/* What an earlier boot measured goes first and alone, with the times at which its clock was right. */
static void boots(void) {
    uh_flash port = test_flash_make(&flash, 4);
    uh_ring ring;
    uh_outbox o;
    uh_batch batch;
    size_t n;
    CHECK(uh_ring_open(&ring, &port, UH_KEEP_NEWEST) == UH_OK && uh_outbox_open(&o, &ring, &sensors, 7) == UH_OK);
    fill(&o);
    CHECK(uh_outbox_anchor(&o, 90002, 0) == UH_OK && uh_outbox_anchor(&o, 90002, 1773480413000) == UH_OK);
    CHECK(uh_outbox_anchor(&o, 90003, 1773480413001) == UH_OK); /* too early for another one */
    CHECK(uh_ring_open(&ring, &port, UH_KEEP_NEWEST) == UH_OK && uh_outbox_open(&o, &ring, &sensors, 8) == UH_OK);
    CHECK(o.waiting == 1);
    fill(&o);
    CHECK(uh_outbox_batch(&o, 95000, scratch, sizeof scratch, out, sizeof out, &n, &batch) == UH_OK);
    CHECK(batch.boot == 7 && batch.count == 4 && batch.old);
    static const uint8_t anchor[] = {0x0B, 0x81, 0x82, 0x1A, 0, 1, 0x5F, 0x92, 0x1B, 0, 0, 0, 0, 0, 0, 0, 0};
    uint8_t with[sizeof anchor];
    memcpy(with, anchor, sizeof anchor);
    for (unsigned i = 0; i < 8; i++)
        with[9 + i] = (uint8_t)(1773480413000ull >> (56 - 8 * i));
    CHECK(has(n, with, sizeof with) && has(n, "\x08\xf5\x09\xf5", 4));
    CHECK(uh_outbox_acked(&o, &batch, UH_NOTHING_MISSING) == UH_OK);
    CHECK(uh_outbox_batch(&o, 95000, scratch, sizeof scratch, out, sizeof out, &n, &batch) == UH_OK);
    CHECK(batch.boot == 8 && batch.first == 0 && batch.count == 4 && !batch.old && !has(n, anchor, 3));
    CHECK(uh_outbox_open(&o, &ring, &sensors, 0) == UH_INVALID);
}

/* Of a sensor that is not there any more nothing is sent, and one that has another precision now is scaled. */
static void updates(void) {
    uh_flash port = test_flash_make(&flash, 4);
    uh_ring ring;
    uh_outbox o;
    uh_batch batch;
    size_t n;
    CHECK(uh_ring_open(&ring, &port, UH_KEEP_NEWEST) == UH_OK && uh_outbox_open(&o, &ring, &sensors, 7) == UH_OK);
    uh_reading first[] = {{7, UH_NUMBER, 0, 21}, {8, UH_NUMBER, 0, 5}, {9, UH_NUMBER, 0, 1}};
    uh_reading second[] = {{7, UH_NUMBER, 1, 214}};
    CHECK(uh_outbox_add(&o, 1, first, 3) == UH_OK && uh_outbox_add(&o, 2, second, 1) == UH_OK);
    CHECK(uh_outbox_batch(&o, 3, scratch, sizeof scratch, out, sizeof out, &n, &batch) == UH_OK && batch.count == 2);
    CHECK(has(n, "\x00\x01\x01\x03\xA4\x03\x08", 7) && !has(n, "relay", 5)); /* 21.0 and 21.4 */
}

static void ones(void *ctx, uint8_t *b, size_t n) {
    (void)ctx;
    memset(b, 1, n);
}

/* Each boot has a number that none had before, or there is no boot. */
static void numbers(void) {
    test_store memory;
    uh_store store = test_store_make(&memory);
    uh_random random = {NULL, ones};
    uint64_t boot = 0, before = 0;
    for (int i = 0; i < 3; i++) {
        CHECK(uh_outbox_next_boot(&store, &random, &boot) == UH_OK && boot > before && boot >> 53 == 0);
        before = boot;
    }
    memory.fails = true;
    CHECK(uh_outbox_next_boot(&store, &random, &boot) == UH_IO);
}

void test_outbox(void) {
    numbers();
    packs();
    boots();
    updates();
}
