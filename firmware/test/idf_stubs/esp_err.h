#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
typedef int esp_err_t;
#define ESP_OK 0
#define ESP_ERROR_CHECK(x) do { if ((x) != ESP_OK) __builtin_trap(); } while (0)
#define ESP_FAIL -1
#define ESP_ERR_NO_MEM 0x101
