#include "test.h"

int test_checks, test_failures;

int main(void) {
#define TEST_RUN(name) test_##name();
    TESTS(TEST_RUN)
    printf("%d checks, %d failed\n", test_checks, test_failures);
    return test_failures == 0 ? 0 : 1;
}
