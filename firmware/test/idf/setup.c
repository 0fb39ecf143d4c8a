/* main/setup.c with ESP-IDF played by this program: a device waits to be set up, and gets lines on its console. */
#include "setup.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "esp_app_desc.h"
#include "esp_netif.h"
#include "esp_timer.h"
#include "esp_wifi.h"
#include "flash.h"
#include "freertos/task.h"
#include "network_provisioning/manager.h"
#include "network_provisioning/scheme_softap.h"
#include "nvs.h"
#include "test.h"

int test_checks, test_failures;

esp_event_base_t const WIFI_EVENT = "wifi", IP_EVENT = "ip", NETWORK_PROV_EVENT = "prov";
const network_prov_scheme_t network_prov_scheme_softap = {1};

static struct {
    esp_event_handler_t handler;
    int64_t now_us;
    int begun;    /* times that it has begun to wait for a phone */
    bool phones;  /* it does now, with an access point */
    bool station; /* it joins a network */
    char ssid[33];
    int lines, console; /* that were typed; the end of the pipe to type into */
} idf;

esp_err_t esp_netif_init(void) { return ESP_OK; }
esp_netif_t *esp_netif_create_default_wifi_sta(void) { return NULL; }
esp_netif_t *esp_netif_create_default_wifi_ap(void) { return NULL; }
esp_err_t esp_event_loop_create_default(void) { return ESP_OK; }
esp_err_t esp_wifi_init(const wifi_init_config_t *c) { return c == NULL; }
esp_err_t esp_wifi_set_storage(wifi_storage_t s) { return s != WIFI_STORAGE_RAM; }
int64_t esp_timer_get_time(void) { return idf.now_us; }

const esp_app_desc_t *esp_app_get_description(void) {
    static const esp_app_desc_t app = {.version = "1.0.0", .project_name = "lamp"};
    return &app;
}

esp_err_t esp_event_handler_register(esp_event_base_t base, int32_t id, esp_event_handler_t h, void *arg) {
    (void)base, (void)id, (void)arg;
    idf.handler = h;
    return ESP_OK;
}

/* The radio. */
esp_err_t esp_wifi_set_mode(wifi_mode_t mode) {
    CHECK(mode == WIFI_MODE_STA && !idf.phones); /* one after the other */
    return ESP_OK;
}

esp_err_t esp_wifi_set_config(wifi_interface_t i, wifi_config_t *c) {
    (void)i;
    memcpy(idf.ssid, c->sta.ssid, 32);
    return ESP_OK;
}

esp_err_t esp_wifi_start(void) {
    idf.station = true;
    idf.handler(NULL, WIFI_EVENT, WIFI_EVENT_STA_START, NULL);
    return ESP_OK;
}

esp_err_t esp_wifi_connect(void) {
    CHECK(idf.station);
    if (strcmp(idf.ssid, "Home") == 0)
        idf.handler(NULL, IP_EVENT, IP_EVENT_STA_GOT_IP, NULL);
    return ESP_OK;
}

esp_err_t esp_wifi_stop(void) {
    idf.station = false;
    return ESP_OK;
}

/* The label, by which a phone proves itself. */
esp_err_t nvs_open(const char *space, nvs_open_mode_t mode, nvs_handle_t *h) {
    (void)mode;
    *h = 1;
    return strcmp(space, "prov") == 0 ? ESP_OK : ESP_ERR_NVS_NOT_FOUND;
}

esp_err_t nvs_get_str(nvs_handle_t h, const char *key, char *b, size_t *n) {
    (void)h, (void)n;
    strcpy(b, strcmp(key, "name") == 0 ? "PROV_1" : "pop");
    return ESP_OK;
}

esp_err_t nvs_get_blob(nvs_handle_t h, const char *key, void *b, size_t *n) {
    (void)h, (void)key, (void)b, (void)n;
    return ESP_ERR_NVS_NOT_FOUND;
}

void nvs_close(nvs_handle_t h) { (void)h; }

/* network_provisioning. */
esp_err_t network_prov_mgr_init(network_prov_mgr_config_t c) { return c.scheme.scheme != 1 || idf.phones; }
esp_err_t network_prov_mgr_disable_auto_stop(uint32_t ms) { return ms == 0; }
esp_err_t network_prov_mgr_endpoint_create(const char *name) { return name == NULL; }
esp_err_t network_prov_mgr_reset_wifi_sm_state_on_failure(void) { return ESP_OK; }
void network_prov_mgr_wait(void) {}
void network_prov_mgr_deinit(void) { CHECK(!idf.phones); }
void network_prov_mgr_stop_provisioning(void) { idf.phones = false; }

esp_err_t network_prov_mgr_start_provisioning(network_prov_security_t by, const void *p, const char *name,
                                              const char *key) {
    CHECK(by == NETWORK_PROV_SECURITY_1 && strcmp(p, "pop") == 0 && strcmp(name, "PROV_1") == 0 && key == NULL);
    CHECK(!idf.station);
    idf.phones = true;
    idf.begun++;
    return ESP_OK;
}

esp_err_t network_prov_mgr_endpoint_register(const char *name, protocomm_req_handler_t h, void *ctx) {
    (void)name, (void)h, (void)ctx;
    return !idf.phones;
}

/* vTaskDelay is where time passes, and where somebody types the next line while the device waits. */
void vTaskDelay(const TickType_t ticks) {
    static const char *const lines[] = {"{\"ssid\":\"Hoem\",\"password\":\"typed wrong\"}\n",
                                        "{\"ssid\":\"Home\",\"password\":\"right\","
                                        "\"server\":\"wss://chat.example.org:443\",\"claim\":\"ct_1\"}\n"};
    idf.now_us += (int64_t)ticks * 10000;
    if (ticks != pdMS_TO_TICKS(20) || idf.lines == 2)
        return;
    /* Whenever it waits, a phone can set it up as well, also after a network that it could not join. */
    CHECK(idf.phones && !idf.station && idf.begun == idf.lines + 1);
    const char *line = lines[idf.lines++];
    CHECK(write(idf.console, line, strlen(line)) == (ssize_t)strlen(line));
}

int main(void) {
    static test_values values;
    static uh_setup setup;
    int ends[2];
    if (pipe(ends) != 0 || dup2(ends[0], STDIN_FILENO) < 0)
        return 1;
    idf.console = ends[1];
    uh_store store = test_values_make(&values);
    setup_begin();
    setup_wait(&store, &setup);
    CHECK(idf.lines == 2 && idf.begun == 2 && !idf.phones && idf.station);
    CHECK(strcmp(setup.ssid, "Home") == 0 && strcmp(setup.server, "wss://chat.example.org:443") == 0);
    printf("set up with ESP-IDF played: %d checks, %d failed\n", test_checks, test_failures);
    return test_failures == 0 ? 0 : 1;
}
