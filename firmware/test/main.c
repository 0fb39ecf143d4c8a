#include "test.h"

int test_checks, test_failures;

uint32_t test_random(uint32_t *state) { /* xorshift */
    uint32_t x = *state != 0 ? *state : 2463534242u;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return *state = x;
}

int main(void) {
#define TEST_RUN(name) test_##name();
    TESTS(TEST_RUN)
    printf("%d checks, %d failed\n", test_checks, test_failures);
    return test_failures == 0 ? 0 : 1;
}
