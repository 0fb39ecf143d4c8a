/* A flash in memory that loses its power, and a store. */
#ifndef UNHIDRA_TEST_FLASH_H
#define UNHIDRA_TEST_FLASH_H

#include <stdbool.h>

#include "unhidra/port.h"

#define SECTOR 4096

typedef struct {
    uint8_t b[16 * SECTOR];
    uint32_t erased[16]; /* times, of each sector */
    long power;          /* bytes that are still written or erased; below 0: it lasts */
    bool wrong;          /* it was used as flash cannot be */
} test_flash;

/* test_flash_make begins with what was there before: noise. */
uh_flash test_flash_make(test_flash *f, uint32_t sectors);

typedef struct {
    uint8_t b[4096];
    size_t n;
    bool has, fails;
    int saved;
} test_store;

uh_store test_store_make(test_store *s); /* of one value, whatever its name is */

/* A store of several values, which may lose its power. */
typedef struct {
    struct {
        char name[16];
        uint8_t b[4096];
        size_t n;
        bool has;
    } list[16];
    long power; /* how often it is still written to; below 0: it lasts */
} test_values;

uh_store test_values_make(test_values *v);
bool test_values_has(const test_values *v, const char *name, const char *text);
int test_values_count(const test_values *v);

#endif
