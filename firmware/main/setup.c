#include "setup.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "esp_app_desc.h"
#include "esp_event.h"
#include "esp_log.h"
#include "esp_netif.h"
#include "esp_timer.h"
#include "esp_wifi.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"
#include "network_provisioning/manager.h"
#include "nvs.h"
#include "sdkconfig.h"
#if CONFIG_UNHIDRA_PROVISION_BLE
#include "network_provisioning/scheme_ble.h"
#else
#include "network_provisioning/scheme_softap.h"
#endif

enum { JOIN_MS = 30000, NAME_MOST = 29 };

static const char tag[] = "setup", endpoint[] = "unhidra";

static volatile bool joins, joined;

/* What comes by network_provisioning: the network, and by our endpoint the claim. */
static uh_setup given;
static volatile bool network_came, claim_came;

static void on_event(void *arg, esp_event_base_t base, int32_t id, void *data) {
    (void)arg;
    if (base == IP_EVENT && id == IP_EVENT_STA_GOT_IP)
        joined = true;
    if (base == WIFI_EVENT && id == WIFI_EVENT_STA_DISCONNECTED)
        joined = false;
    if (base == WIFI_EVENT && joins && (id == WIFI_EVENT_STA_START || id == WIFI_EVENT_STA_DISCONNECTED))
        esp_wifi_connect();
    if (base == NETWORK_PROV_EVENT && id == NETWORK_PROV_WIFI_CRED_RECV) {
        const wifi_sta_config_t *c = data; /* a name of 32 bytes has no NUL */
        memset(given.ssid, 0, sizeof given.ssid);
        memset(given.password, 0, sizeof given.password);
        memcpy(given.ssid, c->ssid, sizeof c->ssid);
        memcpy(given.password, c->password, sizeof c->password);
    }
    if (base == NETWORK_PROV_EVENT && id == NETWORK_PROV_WIFI_CRED_FAIL)
        network_prov_mgr_reset_wifi_sm_state_on_failure(); /* whoever sets it up may try again */
    if (base == NETWORK_PROV_EVENT && id == NETWORK_PROV_WIFI_CRED_SUCCESS)
        network_came = true;
}

void setup_begin(void) {
    wifi_init_config_t init = WIFI_INIT_CONFIG_DEFAULT();
    ESP_ERROR_CHECK(esp_netif_init());
    ESP_ERROR_CHECK(esp_event_loop_create_default());
    esp_netif_create_default_wifi_sta();
    esp_netif_create_default_wifi_ap();
    ESP_ERROR_CHECK(esp_wifi_init(&init));
    ESP_ERROR_CHECK(esp_wifi_set_storage(WIFI_STORAGE_RAM)); /* the network is in our store, which a reset erases */
    ESP_ERROR_CHECK(esp_event_handler_register(WIFI_EVENT, ESP_EVENT_ANY_ID, on_event, NULL));
    ESP_ERROR_CHECK(esp_event_handler_register(IP_EVENT, IP_EVENT_STA_GOT_IP, on_event, NULL));
    ESP_ERROR_CHECK(esp_event_handler_register(NETWORK_PROV_EVENT, ESP_EVENT_ANY_ID, on_event, NULL));
}

bool setup_join(const uh_setup *s, uint32_t within_ms) {
    wifi_config_t config = {0};
    joins = joined = false;
    (void)esp_wifi_stop();
    memcpy(config.sta.ssid, s->ssid, sizeof config.sta.ssid);
    memcpy(config.sta.password, s->password, sizeof config.sta.password);
    ESP_ERROR_CHECK(esp_wifi_set_mode(WIFI_MODE_STA));
    ESP_ERROR_CHECK(esp_wifi_set_config(WIFI_IF_STA, &config));
    joins = true;
    ESP_ERROR_CHECK(esp_wifi_start());
    for (int64_t late = esp_timer_get_time() + (int64_t)within_ms * 1000; !joined && esp_timer_get_time() < late;)
        vTaskDelay(pdMS_TO_TICKS(100));
    return joined;
}

/* on_claim takes what our endpoint is given, whole or in parts. The answer is freed by network_provisioning. */
static esp_err_t on_claim(uint32_t session, const uint8_t *in, ssize_t n, uint8_t **out, ssize_t *out_n, void *ctx) {
    static uh_setup claim;
    static uh_parts parts;
    static const char good[] = "{\"ok\":true}", bad[] = "{\"ok\":false,\"error\":\"it must have server and claim\"}",
                      lost[] = "{\"ok\":false,\"error\":\"a part is missing, or it is too long\"}";
    uh_slice whole;
    (void)session;
    (void)ctx;
    uh_status came = in != NULL && n > 0 ? uh_parts_add(&parts, (uh_slice){(const char *)in, (size_t)n}, &whole)
                                         : UH_INVALID;
    bool is = came == UH_OK && uh_setup_read(whole, &claim) == UH_OK && claim.server[0] != '\0';
    const char *says = is || came == UH_AGAIN ? good : came == UH_OK ? bad : lost;
    if (is) {
        memcpy(given.server, claim.server, sizeof given.server);
        memcpy(given.token, claim.token, sizeof given.token);
        memcpy(given.ca, claim.ca, sizeof given.ca);
        claim_came = true;
    }
    if (came == UH_OK)
        uh_wipe(&parts, sizeof parts);
    uh_wipe(&claim, sizeof claim);
    *out_n = (ssize_t)strlen(says);
    *out = malloc((size_t)*out_n);
    if (*out == NULL)
        return ESP_ERR_NO_MEM;
    memcpy(*out, says, (size_t)*out_n);
    return ESP_OK;
}

/* What the factory has written for the label: `unhidra device label`. */
static struct {
    char name[NAME_MOST + 1], pop[64], salt[32], verifier[384];
    size_t salt_n, verifier_n;
} label;

static bool read_label(void) {
    nvs_handle_t h;
    size_t name = sizeof label.name, pop = sizeof label.pop;
    if (nvs_open("prov", NVS_READONLY, &h) != ESP_OK)
        return false;
    label.salt_n = sizeof label.salt;
    label.verifier_n = sizeof label.verifier;
    bool named = nvs_get_str(h, "name", label.name, &name) == ESP_OK;
    bool second = nvs_get_blob(h, "salt", label.salt, &label.salt_n) == ESP_OK &&
                  nvs_get_blob(h, "verifier", label.verifier, &label.verifier_n) == ESP_OK;
    if (!second)
        label.verifier_n = 0;
    bool first = !second && nvs_get_str(h, "pop", label.pop, &pop) == ESP_OK;
    nvs_close(h);
    return named && (first || second);
}

/* start has network_provisioning wait for a phone. Without a label nobody could prove to have the device: then it is
 * set up by its console alone. */
static bool start(void) {
    static network_prov_security2_params_t second;
    network_prov_mgr_config_t config = {
#if CONFIG_UNHIDRA_PROVISION_BLE
        .scheme = network_prov_scheme_ble, .scheme_event_handler = NETWORK_PROV_SCHEME_BLE_EVENT_HANDLER_FREE_BTDM};
#else
        .scheme = network_prov_scheme_softap, .scheme_event_handler = NETWORK_PROV_EVENT_HANDLER_NONE};
#endif
    if (!read_label()) {
        ESP_LOGI(tag, "no label in NVS: the serial console alone");
        return false;
    }
    second = (network_prov_security2_params_t){label.salt, (uint16_t)label.salt_n, label.verifier,
                                               (uint16_t)label.verifier_n};
    bool by2 = label.verifier_n > 0;
    ESP_ERROR_CHECK(network_prov_mgr_init(config));
    ESP_ERROR_CHECK(network_prov_mgr_disable_auto_stop(1000));
    ESP_ERROR_CHECK(network_prov_mgr_endpoint_create(endpoint));
    ESP_ERROR_CHECK(network_prov_mgr_start_provisioning(by2 ? NETWORK_PROV_SECURITY_2 : NETWORK_PROV_SECURITY_1,
                                                        by2 ? (const void *)&second : (const void *)label.pop,
                                                        label.name, NULL));
    ESP_ERROR_CHECK(network_prov_mgr_endpoint_register(endpoint, on_claim, NULL));
    return true;
}

static bool phones; /* network_provisioning waits for one */

/* finish ends network_provisioning. */
static void finish(void) {
    if (!phones)
        return;
    network_prov_mgr_stop_provisioning();
    network_prov_mgr_wait();
    network_prov_mgr_deinit();
    phones = false;
}

/* join_told joins the network that the console was told. There is one radio: meanwhile the access point is away. If the
 * network cannot be joined it is back, so that a phone can set the device up after all. */
static bool join_told(const uh_setup *s) {
    finish();
    if (setup_join(s, JOIN_MS))
        return true;
    joins = false;
    (void)esp_wifi_stop();
    phones = start();
    return false;
}

static void line_out(void *ctx, const void *b, size_t n) {
    (void)ctx;
    (void)write(STDOUT_FILENO, b, n);
}

/* hear has the console take what has come. true: all is known, and stored. */
static bool hear(uh_console *c, const uh_store *store, uh_setup *s) {
    uint8_t b;
    while (read(STDIN_FILENO, &b, 1) == 1) {
        if (!uh_console_feed(c, b))
            continue;
        uh_status tried = c->setup->ssid[0] == '\0' || join_told(c->setup) ? UH_OK : UH_MISSING;
        if (tried == UH_OK)
            tried = uh_setup_save(c->setup, store);
        uh_wipe(c->setup, sizeof *c->setup);
        if (tried == UH_OK)
            tried = uh_setup_load(s, store);
        uh_console_tried(c, tried);
        if (tried == UH_OK && s->ssid[0] != '\0' && s->server[0] != '\0')
            return true;
    }
    return false;
}

void setup_wait(const uh_store *store, uh_setup *s) {
    static uh_console console;
    static uh_setup typed;
    const esp_app_desc_t *app = esp_app_get_description();
    memset(&given, 0, sizeof given);
    network_came = claim_came = joins = false;
    console = (uh_console){.write = line_out, .firmware = app->project_name, .version = app->version,
                           .chip = CONFIG_IDF_TARGET, .name = label.name, .setup = &typed,
                           .joined = s->ssid[0] != '\0'};
    phones = start();
    (void)fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
    while (!hear(&console, store, s)) {
        if (network_came && claim_came) {
            ESP_ERROR_CHECK(uh_setup_save(&given, store) == UH_OK ? ESP_OK : ESP_FAIL);
            (void)uh_setup_load(s, store);
            break;
        }
        vTaskDelay(pdMS_TO_TICKS(20));
    }
    uh_wipe(&given, sizeof given);
    if (phones)
        vTaskDelay(pdMS_TO_TICKS(2000)); /* the phone asks once more whether it has joined */
    finish();
}
