#pragma once
#include "esp_event.h"
extern esp_event_base_t const NETWORK_PROV_EVENT;
typedef enum { NETWORK_PROV_INIT, NETWORK_PROV_START, NETWORK_PROV_WIFI_CRED_RECV, NETWORK_PROV_WIFI_CRED_FAIL,
               NETWORK_PROV_WIFI_CRED_SUCCESS } network_prov_cb_event_t;
typedef enum { NETWORK_PROV_SECURITY_0, NETWORK_PROV_SECURITY_1, NETWORK_PROV_SECURITY_2 } network_prov_security_t;
typedef struct { const char *salt; uint16_t salt_len; const char *verifier; uint16_t verifier_len; }
    network_prov_security2_params_t;
typedef struct { int scheme; } network_prov_scheme_t;
typedef struct { void *event_cb, *user_data; } network_prov_event_handler_t;
#define NETWORK_PROV_EVENT_HANDLER_NONE {NULL, NULL}
typedef struct { network_prov_scheme_t scheme; network_prov_event_handler_t scheme_event_handler; }
    network_prov_mgr_config_t;
typedef esp_err_t (*protocomm_req_handler_t)(uint32_t session_id, const uint8_t *inbuf, ssize_t inlen, uint8_t **outbuf,
                                             ssize_t *outlen, void *priv_data);
esp_err_t network_prov_mgr_init(network_prov_mgr_config_t config);
void network_prov_mgr_deinit(void);
esp_err_t network_prov_mgr_start_provisioning(network_prov_security_t security, const void *params,
                                              const char *service_name, const char *service_key);
void network_prov_mgr_stop_provisioning(void);
void network_prov_mgr_wait(void);
esp_err_t network_prov_mgr_disable_auto_stop(uint32_t cleanup_delay);
esp_err_t network_prov_mgr_endpoint_create(const char *name);
esp_err_t network_prov_mgr_endpoint_register(const char *name, protocomm_req_handler_t handler, void *user_ctx);
esp_err_t network_prov_mgr_reset_wifi_sm_state_on_failure(void);
