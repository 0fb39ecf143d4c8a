#include <sys/time.h>

#include "esp_partition.h"
#include "esp_random.h"
#include "esp_timer.h"
#include "nvs.h"
#include "unhidra_esp.h"

enum { SECTOR = 4096, CLOCK_SET_AFTER = 1704067200 }; /* 2024 */

static uh_status flash_read(void *ctx, uint32_t at, void *b, size_t n) {
    return esp_partition_read(ctx, at, b, n) == ESP_OK ? UH_OK : UH_IO;
}

static uh_status flash_write(void *ctx, uint32_t at, const void *b, size_t n) {
    return esp_partition_write(ctx, at, b, n) == ESP_OK ? UH_OK : UH_IO;
}

static uh_status flash_erase(void *ctx, uint32_t at) {
    return esp_partition_erase_range(ctx, at, SECTOR) == ESP_OK ? UH_OK : UH_IO;
}

uh_status uh_esp_flash(uh_flash *flash, const char *label) {
    const esp_partition_t *p = esp_partition_find_first(ESP_PARTITION_TYPE_DATA, ESP_PARTITION_SUBTYPE_ANY, label);
    if (p == NULL || p->encrypted)
        return UH_MISSING;
    *flash = (uh_flash){(void *)(uintptr_t)p, p->size / SECTOR * SECTOR, SECTOR, flash_read, flash_write, flash_erase};
    return UH_OK;
}

static uh_status store_load(void *ctx, const char *name, void *b, size_t cap, size_t *n) {
    nvs_handle_t h;
    size_t len = cap;
    esp_err_t got = nvs_open(ctx, NVS_READONLY, &h);
    if (got == ESP_ERR_NVS_NOT_FOUND)
        return UH_MISSING; /* nothing was ever stored */
    if (got != ESP_OK)
        return UH_IO;
    *n = cap;
    got = nvs_get_blob(h, name, b, n);
    if ((got == ESP_ERR_NVS_NOT_FOUND || got == ESP_ERR_NVS_TYPE_MISMATCH)
        && nvs_get_str(h, name, NULL, &len) == ESP_OK) {
        /* A text that nvs_partition_gen has written: its NUL does not count. */
        got = len <= cap ? nvs_get_str(h, name, b, &len) : ESP_ERR_NVS_INVALID_LENGTH;
        *n = len > 0 ? len - 1 : 0;
    }
    nvs_close(h);
    return got == ESP_OK                       ? UH_OK
           : got == ESP_ERR_NVS_NOT_FOUND      ? UH_MISSING
           : got == ESP_ERR_NVS_INVALID_LENGTH ? UH_SPACE
                                               : UH_IO;
}

static uh_status store_save(void *ctx, const char *name, const void *b, size_t n) {
    nvs_handle_t h;
    if (nvs_open(ctx, NVS_READWRITE, &h) != ESP_OK)
        return UH_IO;
    esp_err_t got = nvs_set_blob(h, name, b, n);
    if (got == ESP_OK)
        got = nvs_commit(h);
    nvs_close(h);
    return got == ESP_OK ? UH_OK : UH_IO;
}

static uh_status store_erase(void *ctx, const char *name) {
    nvs_handle_t h;
    if (nvs_open(ctx, NVS_READWRITE, &h) != ESP_OK)
        return UH_IO;
    esp_err_t got;
    do /* a text and a blob may have the same name */
        got = nvs_erase_key(h, name);
    while (got == ESP_OK);
    esp_err_t done = nvs_commit(h);
    nvs_close(h);
    return got == ESP_ERR_NVS_NOT_FOUND && done == ESP_OK ? UH_OK : UH_IO;
}

uh_store uh_esp_store(const char *space) {
    return (uh_store){(void *)(uintptr_t)space, store_load, store_save, store_erase};
}

static uint64_t uptime_ms(void *ctx) {
    (void)ctx;
    return (uint64_t)(esp_timer_get_time() / 1000);
}

static uint64_t unix_ms(void *ctx) {
    struct timeval t;
    (void)ctx;
    if (gettimeofday(&t, NULL) != 0 || t.tv_sec < CLOCK_SET_AFTER)
        return 0;
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_usec / 1000;
}

uh_clock uh_esp_clock(void) { return (uh_clock){NULL, uptime_ms, unix_ms}; }

static void fill(void *ctx, uint8_t *b, size_t n) {
    (void)ctx;
    esp_fill_random(b, n);
}

uh_random uh_esp_random(void) { return (uh_random){NULL, fill}; }
