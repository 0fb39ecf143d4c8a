#pragma once
#include "esp_err.h"
typedef uint32_t nvs_handle_t;
typedef enum { NVS_READONLY, NVS_READWRITE } nvs_open_mode_t;
#define ESP_ERR_NVS_NOT_FOUND 0x1102
#define ESP_ERR_NVS_INVALID_LENGTH 0x110c
esp_err_t nvs_open(const char *space, nvs_open_mode_t mode, nvs_handle_t *h);
esp_err_t nvs_get_blob(nvs_handle_t h, const char *key, void *b, size_t *length);
esp_err_t nvs_get_str(nvs_handle_t h, const char *key, char *b, size_t *length);
esp_err_t nvs_set_blob(nvs_handle_t h, const char *key, const void *b, size_t length);
esp_err_t nvs_commit(nvs_handle_t h);
void nvs_close(nvs_handle_t h);
#define ESP_ERR_NVS_TYPE_MISMATCH 0x1103
esp_err_t nvs_erase_key(nvs_handle_t h, const char *key);
