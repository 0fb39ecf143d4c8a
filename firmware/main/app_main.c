/* A device that says how much memory it has free. It is set up by its label or its console, gets its key by a claim
 * token, and keeps both in NVS, in the namespace "unhidra". An image has no secrets.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver/gpio.h"
#include "esp_app_desc.h"
#include "esp_log.h"
#include "esp_ota_ops.h"
#include "esp_system.h"
#include "esp_timer.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"
#include "nvs.h"
#include "nvs_flash.h"
#include "psa_crypto.h"
#include "sdkconfig.h"
#include "setup.h"
#include "unhidra/claim.h"
#include "unhidra/reset.h"
#include "unhidra_esp.h"

static const char tag[] = "unhidra";
extern const char root_start[] asm("_binary_root_json_start"), root_end[] asm("_binary_root_json_end");

static uh_status memory(void *ctx, int64_t *v) {
    (void)ctx;
    *v = (int64_t)esp_get_free_heap_size();
    return UH_OK;
}

static const uh_sensor list[] = {{.id = 1, .kind = UH_NUMBER, .name = "memory", .unit = "B", .period_ms = 10000,
                                  .deadband = 1024, .silence_ms = 600000, .read = memory}};
static uh_sensor_state states[1];
static uh_sensors sensors = {list, states, 1};
static uh_flash flash;
static uh_ring ring;
static uh_outbox outbox;
static uh_commands commands;
static uh_crypto crypto;
static uh_board board;
static uh_updater updater;
static uh_session session;
static uint8_t rx[16384], tx[4096], scratch[2048];
static uh_store store;
static const uh_flash *const logs[] = {&flash};
static uh_reset reset = {.store = &store, .logs = logs, .count = 1};

static void hear(void *ctx, uh_event event, int code) {
    static const char *const names[] = {"online", "offline", "shut out", "command", "refused", "flash"};
    (void)ctx;
    ESP_LOGI(tag, "%s %d", names[event], code);
}

static uh_status open_all(const uh_clock *clock, const uh_random *random) {
    const esp_app_desc_t *app = esp_app_get_description();
    uh_running is = {.product = app->project_name, .chip = CONFIG_IDF_TARGET, .version = app->version,
                     .reset_reason = esp_reset_reason() == ESP_RST_SW ? "software" : "power_on",
                     .revision = CONFIG_UNHIDRA_REVISION, .version_code = CONFIG_UNHIDRA_VERSION_CODE,
                     .secure_version = app->secure_version};
    uint64_t boot;
    UH_TRY(uh_ring_open(&ring, &flash, UH_KEEP_NEWEST));
    UH_TRY(uh_outbox_next_boot(&store, random, &boot));
    UH_TRY(uh_outbox_open(&outbox, &ring, &sensors, boot));
    UH_TRY(uh_commands_open(&commands, &store));
    UH_TRY(uh_psa_crypto(&crypto));
    UH_TRY(uh_esp_board(&board, &is, &crypto));
    return uh_updater_open(&updater, &board, &crypto, &store, clock, random,
                           (uh_slice){root_start, (size_t)(root_end - root_start)}, rx, sizeof rx);
}

/* held says whether the button has been held for ten seconds. */
static bool held(uint64_t now) {
    static uint64_t since;
    if (CONFIG_UNHIDRA_RESET_GPIO < 0 || gpio_get_level(CONFIG_UNHIDRA_RESET_GPIO) != 0)
        return since = 0, false;
    if (since == 0)
        since = now;
    return now - since >= 10000;
}

/* run runs the device until it is reset. */
static void run(uh_session *s, const uh_clock *clock) {
    while (!uh_reset_due(&reset, s)) {
        uint32_t idle = uh_session_step(s, 500);
        uh_updater_watch(&updater, CONFIG_UNHIDRA_CONFIRM_SECONDS * 1000);
        reset.wanted = reset.wanted || held(clock->uptime_ms(clock->ctx));
        if (idle > 0)
            vTaskDelay(pdMS_TO_TICKS(idle) + 1);
    }
    uh_session_leave(s, "reset", 0);
    if (uh_reset_run(&reset) != UH_OK)
        ESP_LOGE(tag, "the reset goes on after the restart");
    esp_restart();
}

static bool pending(void) {
    esp_ota_img_states_t state;
    return esp_ota_get_state_partition(esp_ota_get_running_partition(), &state) == ESP_OK &&
           state == ESP_OTA_IMG_PENDING_VERIFY;
}

/* on_late is the fail-safe timer for a new image that hangs, in whatever it does: the bootloader takes it back. */
static void on_late(void *arg) {
    (void)arg;
    if (pending())
        esp_restart();
}

static void arm(void) {
    static esp_timer_handle_t timer;
    const esp_timer_create_args_t late = {.callback = on_late, .name = "fail-safe"};
    if (!pending())
        return;
    ESP_ERROR_CHECK(esp_timer_create(&late, &timer));
    ESP_ERROR_CHECK(esp_timer_start_once(timer, (uint64_t)(CONFIG_UNHIDRA_CONFIRM_SECONDS + 30) * 1000000));
}

/* fail ends what cannot start. After a restart the bootloader takes an image back that was not confirmed. */
static void fail(const char *why) {
    ESP_LOGE(tag, "the device does not start: %s", why);
    if (pending())
        esp_restart();
}

static char host[128], key[UH_KEY_SIZE];
static uh_setup setup;
static uh_esp_stream connection;

/* address takes the server's address apart. Without TLS nothing is sent. */
static bool address(void) {
    char *colon;
    if (strncmp(setup.server, "wss://", 6) != 0 || strlen(setup.server) - 6 >= sizeof host)
        return false;
    strcpy(host, setup.server + 6);
    colon = strchr(host, ':');
    connection = (uh_esp_stream){.host = host, .port = colon != NULL ? atoi(colon + 1) : 443,
                                 .ca = setup.ca[0] != '\0' ? (const unsigned char *)setup.ca : NULL,
                                 .ca_size = (unsigned)strlen(setup.ca) + 1};
    if (colon != NULL)
        *colon = '\0';
    return true;
}

/* claim gets the device its key, for as long as it is known that it may. */
static bool claim(const uh_stream *stream, const uh_clock *clock, const uh_random *random) {
    uint64_t late = clock->uptime_ms(clock->ctx) + (uint64_t)CONFIG_UNHIDRA_SETUP_SECONDS * 1000;
    uh_claim c = {setup.server + 6, setup.token, stream, &store, random, (char *)tx, sizeof tx};
    for (uint32_t wait_ms = 500;; wait_ms = wait_ms < 15000 ? 2 * wait_ms : 30000) {
        uh_status got = uh_claim_key(&c, 10000, key);
        ESP_LOGI(tag, "claim: %s", uh_status_text(got));
        if (got == UH_OK)
            return true;
        if (got == UH_REFUSED || got == UH_INVALID || clock->uptime_ms(clock->ctx) + wait_ms > late)
            return false;
        vTaskDelay(pdMS_TO_TICKS(wait_ms));
    }
}

/* set_up has the device set up, unless it is, and gets its key. What has not led to a key in time, or is refused, is
 * forgotten, and the device waits again. A network that was joined once may be away for long: with a key it waits. */
static uh_status set_up(const uh_stream *stream, const uh_clock *clock, const uh_random *random) {
    size_t n;
    for (;;) {
        UH_TRY(uh_setup_load(&setup, &store));
        if (setup.ssid[0] == '\0' || setup.server[0] == '\0')
            setup_wait(&store, &setup);
        uh_status found = store.load(store.ctx, "key", key, sizeof key - 1, &n);
        if (found != UH_OK && found != UH_MISSING)
            return found; /* a flash that cannot be read is no reason to forget */
        bool known = found == UH_OK;
        bool there = setup_join(&setup, known ? 0 : CONFIG_UNHIDRA_SETUP_SECONDS * 1000);
        if (address() && (known || there) && claim(stream, clock, random))
            return UH_OK;
        UH_TRY(uh_setup_forget(&store));
#if CONFIG_UNHIDRA_PROVISION_BLE
        esp_restart(); /* the memory of Bluetooth was given back, and it begins only once */
#endif
    }
}

void app_main(void) {
    static uh_stream stream;
    static uh_clock clock;
    static uh_random random;
    arm();
    ESP_ERROR_CHECK(nvs_flash_init());
    if (CONFIG_UNHIDRA_RESET_GPIO >= 0) {
        const gpio_config_t button = {.pin_bit_mask = 1ULL << (CONFIG_UNHIDRA_RESET_GPIO & 63), .mode = GPIO_MODE_INPUT,
                                      .pull_up_en = GPIO_PULLUP_ENABLE};
        ESP_ERROR_CHECK(gpio_config(&button));
    }
    store = uh_esp_store(tag);
    clock = uh_esp_clock();
    random = uh_esp_random();
    stream = uh_esp_stream_port(&connection);
    const uh_action actions[] = {uh_reset_action(&reset)};
    setup_begin();
    uh_status got = uh_esp_flash(&flash, "log");
    if (got == UH_OK)
        got = uh_reset_finish(&reset);
    if (got == UH_OK)
        got = set_up(&stream, &clock, &random);
    if (got == UH_OK)
        got = open_all(&clock, &random);
    if (got == UH_OK)
        got = uh_session_init(&session, &(uh_session_options){
            .host = setup.server + 6, .path = "/ws", .key = key, .model = board.running.product,
            .version = board.running.version, .batch_ms = 5000, .stream = &stream, .clock = &clock, .random = &random,
            .sensors = &sensors, .outbox = &outbox, .commands = &commands, .updater = &updater, .actions = actions,
            .action_count = 1, .rx = rx, .rx_cap = sizeof rx, .tx = tx, .tx_cap = sizeof tx, .scratch = scratch,
            .scratch_cap = sizeof scratch, .spread_ms = 10000, .hear = hear});
    if (got != UH_OK) {
        fail(uh_status_text(got));
        return;
    }
    run(&session, &clock);
}
