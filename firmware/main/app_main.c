/* A device that says how much memory it has free. What it needs to know is in NVS, in the namespace "unhidra": server
 * (host:port), key, ssid, password and, if the server's certificate is not of a public authority, ca (PEM). An image
 * has no secrets.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "esp_app_desc.h"
#include "esp_log.h"
#include "esp_ota_ops.h"
#include "esp_system.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"
#include "nvs.h"
#include "nvs_flash.h"
#include "psa_crypto.h"
#include "sdkconfig.h"
#include "unhidra/session.h"
#include "unhidra_esp.h"
#include "wifi.h"

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

static void hear(void *ctx, uh_event event, int code) {
    static const char *const names[] = {"online", "offline", "shut out", "command", "refused", "flash"};
    (void)ctx;
    ESP_LOGI(tag, "%s %d", names[event], code);
}

/* text reads a text of NVS. */
static bool text(const char *name, char *out, size_t cap) {
    nvs_handle_t h;
    out[0] = '\0';
    if (nvs_open(tag, NVS_READONLY, &h) != ESP_OK)
        return false;
    esp_err_t got = nvs_get_str(h, name, out, &cap);
    nvs_close(h);
    return got == ESP_OK;
}

static uh_status open_all(const uh_store *store, const uh_clock *clock, const uh_random *random) {
    const esp_app_desc_t *app = esp_app_get_description();
    uh_running is = {.product = app->project_name, .chip = CONFIG_IDF_TARGET, .version = app->version,
                     .reset_reason = esp_reset_reason() == ESP_RST_SW ? "software" : "power_on",
                     .revision = CONFIG_UNHIDRA_REVISION, .version_code = CONFIG_UNHIDRA_VERSION_CODE,
                     .secure_version = app->secure_version};
    uint64_t boot;
    UH_TRY(uh_esp_flash(&flash, "log"));
    UH_TRY(uh_ring_open(&ring, &flash, UH_KEEP_NEWEST));
    UH_TRY(uh_outbox_next_boot(store, random, &boot));
    UH_TRY(uh_outbox_open(&outbox, &ring, &sensors, boot));
    UH_TRY(uh_commands_open(&commands, store));
    UH_TRY(uh_psa_crypto(&crypto));
    UH_TRY(uh_esp_board(&board, &is, &crypto));
    return uh_updater_open(&updater, &board, &crypto, store, clock, random,
                           (uh_slice){root_start, (size_t)(root_end - root_start)}, rx, sizeof rx);
}

/* run runs the device for ever. */
static void run(uh_session *s, const uh_clock *clock) {
    for (;;) {
        uint32_t idle = uh_session_step(s, 1000);
        if (uh_updater_unconfirmed(&updater) &&
            clock->uptime_ms(clock->ctx) > (uint64_t)CONFIG_UNHIDRA_CONFIRM_SECONDS * 1000)
            (void)uh_updater_give_up(&updater);
        if (idle > 0)
            vTaskDelay(pdMS_TO_TICKS(idle) + 1);
    }
}

/* fail ends what cannot start. After a restart the bootloader takes an image back that was not confirmed. */
static void fail(const char *why) {
    esp_ota_img_states_t state;
    ESP_LOGE(tag, "the device does not start: %s", why);
    if (esp_ota_get_state_partition(esp_ota_get_running_partition(), &state) == ESP_OK &&
        state == ESP_OTA_IMG_PENDING_VERIFY)
        esp_restart();
}

void app_main(void) {
    static char server[128], host[128], key[128], ssid[33], password[65], ca[4000];
    static uh_esp_stream connection;
    static uh_stream stream;
    static uh_store store;
    static uh_clock clock;
    static uh_random random;
    ESP_ERROR_CHECK(nvs_flash_init());
    if (!text("server", server, sizeof server) || !text("key", key, sizeof key) || !text("ssid", ssid, sizeof ssid)) {
        fail("NVS has no server, key or ssid: write them as docs/hardware-validation.md says");
        return;
    }
    (void)text("password", password, sizeof password);
    bool own = text("ca", ca, sizeof ca);
    const char *colon = strchr(server, ':');
    size_t n = colon != NULL ? (size_t)(colon - server) : strlen(server);
    memcpy(host, server, n);
    connection = (uh_esp_stream){.host = host, .port = colon != NULL ? atoi(colon + 1) : 443,
                                 .ca = own ? (const unsigned char *)ca : NULL, .ca_size = own ? strlen(ca) + 1 : 0};
    wifi_start(ssid, password);
    stream = uh_esp_stream_port(&connection);
    store = uh_esp_store(tag);
    clock = uh_esp_clock();
    random = uh_esp_random();
    uh_status got = open_all(&store, &clock, &random);
    if (got == UH_OK)
        got = uh_session_init(&session, &(uh_session_options){
            .host = server, .path = "/ws", .key = key, .model = board.running.product,
            .version = board.running.version, .batch_ms = 5000, .stream = &stream, .clock = &clock, .random = &random,
            .sensors = &sensors, .outbox = &outbox, .commands = &commands, .updater = &updater, .rx = rx,
            .rx_cap = sizeof rx, .tx = tx, .tx_cap = sizeof tx, .scratch = scratch, .scratch_cap = sizeof scratch,
            .spread_ms = 10000, .hear = hear});
    if (got != UH_OK) {
        fail(uh_status_text(got));
        return;
    }
    run(&session, &clock);
}
