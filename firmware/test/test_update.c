/* How an image comes to a device whose server sends less than there is, or whose connection breaks all the time. The
 * server is a file in memory, and hashes are a sum that is no cryptography. */
#include "../components/unhidra_core/src/update.h"
#include "flash.h"
#include "test.h"

enum { IMAGE = 37 * 1024 + 100, WINDOW = 2 * UH_SECTOR };

static struct {
    uint8_t image[IMAGE], slot[IMAGE + UH_SECTOR];
    uint32_t has; /* bytes of the image that the server has */
    uint64_t now, read; /* milliseconds; bytes that the server has sent */
    uint32_t sum[2];
    int starts, restarts;
    uh_slot_state state, other;
    uh_updater u;
} world;

static void sum_begin(void *ctx) {
    (void)ctx;
    world.sum[0] = 2166136261u;
    world.sum[1] = 0;
}

static void sum_add(void *ctx, const void *b, size_t n) {
    (void)ctx;
    for (size_t i = 0; i < n; i++)
        world.sum[0] = (world.sum[0] ^ ((const uint8_t *)b)[i]) * 16777619u;
    world.sum[1] += (uint32_t)n;
}

static void sum_end(void *ctx, uint8_t sum[UH_SHA256_SIZE]) {
    (void)ctx;
    memset(sum, 0, UH_SHA256_SIZE);
    memcpy(sum, world.sum, sizeof world.sum);
}

static uint64_t uptime(void *ctx) {
    (void)ctx;
    return world.now;
}

static void fill(void *ctx, uint8_t *b, size_t n) {
    (void)ctx;
    memset(b, 7, n);
}

static uh_slot_state state(void *ctx) {
    (void)ctx;
    return world.state;
}

static uh_slot_state other(void *ctx) {
    (void)ctx;
    return world.other;
}

static uh_status slot_write(void *ctx, uint32_t at, const uint8_t *b, size_t n) {
    (void)ctx;
    CHECK(at % UH_SECTOR == 0 && n <= UH_SECTOR && at + n <= sizeof world.slot);
    memcpy(world.slot + at, b, n);
    return UH_OK;
}

static uh_status slot_read(void *ctx, uint32_t at, uint8_t *b, size_t n) {
    (void)ctx;
    memcpy(b, world.slot + at, n);
    return UH_OK;
}

static uh_status running_read(void *ctx, uint32_t at, uint8_t *b, size_t n) {
    (void)ctx;
    (void)at;
    memset(b, 0, n);
    return UH_OK;
}

static uh_status start(void *ctx) {
    (void)ctx;
    world.starts++;
    return UH_OK;
}

static uh_status stay(void *ctx) {
    (void)ctx;
    world.state = UH_SLOT_VALID;
    return UH_OK;
}

static void restart(void *ctx) {
    (void)ctx;
    world.restarts++;
}

static const uh_crypto crypto = {NULL, sum_begin, sum_add, sum_end, NULL};
static const uh_clock watch = {NULL, uptime, NULL};
static const uh_random chance = {NULL, fill};

/* begin makes a device that has accepted an update. patch is how large a patch for it is; 0: there is none. */
static void begin(uint32_t patch) {
    static test_store kept;
    static uh_store store;
    static uh_board board;
    uint32_t seed = 11;
    memset(&world, 0, sizeof world);
    for (size_t i = 0; i < sizeof world.image; i++)
        world.image[i] = (uint8_t)test_random(&seed);
    world.state = UH_SLOT_VALID;
    world.other = UH_SLOT_NONE;
    world.has = IMAGE;
    store = test_store_make(&kept);
    board = (uh_board){.slot_size = sizeof world.slot, .state = state, .other = other, .write = slot_write,
                       .read = slot_read, .read_running = running_read, .start = start, .confirm = stay,
                       .give_up = stay, .restart = restart};
    uh_updater *u = &world.u;
    u->board = &board;
    u->crypto = &crypto;
    u->store = &store;
    u->clock = &watch;
    u->random = &chance;
    u->window = WINDOW;
    u->open = (uh_open_update){.phase = UH_UPDATE_FETCHING, .taken = {.update = "upd_1", .size = IMAGE}};
    sum_begin(NULL);
    sum_add(NULL, world.image, IMAGE);
    sum_end(NULL, u->open.taken.sha256);
    u->patch_size = patch;
    u->step = UH_DO_ACCEPTED;
}

/* answer answers the request that is due, as a server does that has some of the image and nothing of a patch. */
static void answer(void) {
    static char frame[2 * WINDOW];
    uh_updater *u = &world.u;
    world.now += 10;
    if (world.restarts > 0 || uh_updater_due(u, world.now) == NULL)
        return;
    if (u->asked == UH_ASKED_REPORT)
        u->report = u->ask_anew = false; /* as uh_updater_write does */
    uh_slice said = uh_slice_of("{\"type\":\"ok\",\"data\":{\"action\":\"continue\"}}");
    if (u->asked == UH_ASKED_STEP && u->step == UH_DO_READ) {
        uint32_t has = u->patch_size != 0 ? 0 : world.has, left = has > u->at ? has - u->at : 0;
        uint32_t n = left < WINDOW ? left : WINDOW;
        int head = snprintf(frame, sizeof frame, "{\"type\":\"ok\",\"data\":{\"offset\":%u,\"data\":\"",
                            (unsigned)u->at);
        uh_base64(world.image + (n > 0 ? u->at : 0), n, frame + head);
        size_t end = (size_t)head + uh_base64_size(n);
        memcpy(frame + end, "\"}}", 3);
        said = (uh_slice){frame, end + 3};
        world.read += n;
    }
    uh_updater_answer(u, said, false);
}

/* until answers until the device is at a step, or has asked for very much. */
static bool until(uh_update_step step) {
    for (int i = 0; i < 200 && world.u.step != step; i++)
        answer();
    return world.u.step == step;
}

static bool same(void) { return memcmp(world.slot, world.image, IMAGE) == 0; }

static void whole(void) {
    begin(0);
    CHECK(until(UH_DO_INSTALLING) && same() && world.read == IMAGE);
    CHECK(until(UH_DO_REBOOTING) && world.starts == 1 && world.restarts == 0);
    answer();
    CHECK(world.restarts == 1);
}

/* An image that ends after any KiB is not started: the device says that its size is wrong, and forgets the update. */
static void cut_off_images_are_not_started(void) {
    for (uint32_t has = 0; has < IMAGE; has += 1024) {
        begin(0);
        world.has = has;
        CHECK(until(UH_DO_FAILED) && strcmp(world.u.reason, uh_verdict_text(UH_SAYS_wrong_size)) == 0);
        answer();
        CHECK(world.u.open.phase == UH_UPDATE_NONE && world.starts == 0 && world.restarts == 0);
    }
}

/* Of a patch that is cut off the device takes the whole image instead. */
static void a_cut_off_patch_is_replaced_by_the_image(void) {
    begin(5000);
    CHECK(until(UH_DO_INSTALLING) && same() && world.read == IMAGE);
}

/* connect begins a connection in the place of the one before, over which the device says what it runs. */
static void connect(void) {
    if (world.restarts > 0)
        return; /* the program has ended */
    uh_updater_hello(&world.u);
    answer();
}

/* A device whose connections end after two answers loads each byte once all the same, and starts the image once. */
static void a_device_that_flaps_loads_each_byte_once(void) {
    begin(0);
    for (int i = 0; i < 50 && world.restarts == 0; i++) {
        connect();
        answer();
        answer();
    }
    CHECK(same() && world.read == IMAGE);
    CHECK(world.starts == 1 && world.restarts == 1);
}

/* One that hears no answer over most connections asks again, and loses nothing either. */
static void a_device_that_hears_no_answer_asks_again(void) {
    begin(0);
    for (int i = 0; i < 50 && world.restarts == 0; i++) {
        for (int lost = 0; lost < 3; lost++) {
            connect();
            (void)uh_updater_due(&world.u, world.now += 10);
        }
        connect();
        answer();
        answer();
    }
    CHECK(same() && world.read == IMAGE);
    CHECK(world.starts == 1 && world.restarts == 1);
}

void test_update(void) {
    whole();
    cut_off_images_are_not_started();
    a_cut_off_patch_is_replaced_by_the_image();
    a_device_that_flaps_loads_each_byte_once();
    a_device_that_hears_no_answer_asks_again();
}
