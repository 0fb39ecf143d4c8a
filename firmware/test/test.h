/* A test program: each test is a function, and CHECK says which line does not hold. */
#ifndef UNHIDRA_TEST_H
#define UNHIDRA_TEST_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

extern int test_checks, test_failures;

#define CHECK(cond)                                                          \
    do {                                                                     \
        test_checks++;                                                       \
        if (!(cond)) {                                                       \
            test_failures++;                                                 \
            printf("%s:%d: %s: not so: %s\n", __FILE__, __LINE__, __func__, #cond); \
        }                                                                    \
    } while (0)

/* CHECK_TEXT compares n bytes with a C string. */
#define CHECK_TEXT(b, n, want)                                                                              \
    do {                                                                                                    \
        test_checks++;                                                                                      \
        if ((n) != strlen(want) || memcmp((b), (want), strlen(want)) != 0) {                                \
            test_failures++;                                                                                \
            printf("%s:%d: %s: got  %.*s\nwant %s\n", __FILE__, __LINE__, __func__, (int)(n),              \
                   (const char *)(b), (want));                                                              \
        }                                                                                                   \
    } while (0)

/* test_random is the same sequence in each run, from a seed. */
uint32_t test_random(uint32_t *state);

#define TESTS(X) X(bytes) X(json) X(ws) X(backoff) X(ring) X(sensors) X(outbox) X(commands) X(delta) X(session) \
    X(claim) X(setup) X(reset) X(drivers) X(update) X(slots) X(flash_store)

#define TEST_DECLARE(name) void test_##name(void);
TESTS(TEST_DECLARE)
#undef TEST_DECLARE

#endif
