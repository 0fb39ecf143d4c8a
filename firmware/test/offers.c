/* Answers offers as a device does. It reads lines: the payload of the root; what the device is (id, chip, revision,
 * version code, floor, secure version, size of a slot, nonce); and then for each offer its age in seconds, a space, and
 * the data of the frame. It prints a verdict for each.
 */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "psa_crypto.h"

static uh_status keep(void *ctx, uh_slice payload) {
    (void)ctx;
    (void)payload;
    return UH_OK;
}

int main(void) {
    static uh_root first, root, next;
    static char line[1 << 20];
    char id[65], chip[33], nonce[65];
    unsigned revision, code, floor_code, secure, slot, age;
    uh_crypto crypto;
    if (uh_psa_crypto(&crypto) != UH_OK || fgets(line, sizeof line, stdin) == NULL)
        return 1;
    line[strcspn(line, "\n")] = '\0';
    uh_verdict v = uh_root_read(&crypto, uh_slice_of(line), &first);
    if (v != UH_SAYS_accepted || fgets(line, sizeof line, stdin) == NULL ||
        sscanf(line, "%64s %32s %u %u %u %u %u %64s", id, chip, &revision, &code, &floor_code, &secure, &slot,
               nonce) != 8)
        return fprintf(stderr, "root or device: %s\n", uh_verdict_text(v)), 1;
    while (fgets(line, sizeof line, stdin) != NULL && sscanf(line, "%u ", &age) == 1) {
        uh_taken taken;
        uh_self self = {id, chip, nonce, (uint16_t)revision, code, floor_code, secure, slot, (uint64_t)age * 1000};
        uh_checker checker = {&crypto, &root, &next, keep, NULL};
        size_t n = strlen(strchr(line, '{'));
        char *exact = malloc(n); /* so that a byte too far is seen */
        memcpy(exact, strchr(line, '{'), n);
        root = first;
        puts(uh_verdict_text(uh_offer_check(&checker, &self, (uh_slice){exact, n}, &taken)));
        free(exact);
    }
    return 0;
}
