/* Runs a fuzz target without libFuzzer: each file of a folder, and then copies of them that are changed by chance, the
 * same in each run.
 *
 *     fuzz_TARGET FOLDER CHANGES
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"

int LLVMFuzzerTestOneInput(const uint8_t *b, size_t n);

enum { FILES = 64, SIZE = 12288 };

static struct {
    uint8_t b[SIZE];
    size_t n;
} files[FILES];

static size_t change(uint8_t *b, size_t n, size_t other, uint32_t *seed) {
    for (uint32_t k = test_random(seed) % 8; k < 8; k++) {
        size_t at = n > 0 ? test_random(seed) % n : 0, len = test_random(seed) % 16;
        switch (test_random(seed) % 6) {
        case 0:
            if (n > 0)
                b[at] ^= (uint8_t)(1u << test_random(seed) % 8);
            break;
        case 1:
            if (n > 0)
                b[at] = (uint8_t)test_random(seed);
            break;
        case 2:
            n = at; /* cut off */
            break;
        case 3: /* without some bytes */
            if (at + len < n) {
                memmove(b + at, b + at + len, n - at - len);
                n -= len;
            }
            break;
        case 4: /* some bytes twice */
            if (at + len <= n && n + len <= SIZE) {
                memmove(b + at + len, b + at, n - at);
                n += len;
            }
            break;
        default: /* the end of another one */
            if (at < files[other].n) {
                memcpy(b + at, files[other].b + at, files[other].n - at);
                n = files[other].n;
            }
        }
    }
    return n;
}

int main(int argc, char **argv) {
    size_t count = 0;
    if (argc != 3)
        return 2;
    DIR *d = opendir(argv[1]);
    if (d == NULL)
        return perror(argv[1]), 2;
    for (struct dirent *e; (e = readdir(d)) != NULL && count < FILES;) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", argv[1], e->d_name);
        FILE *f = e->d_name[0] != '.' ? fopen(path, "rb") : NULL;
        if (f == NULL)
            continue;
        files[count].n = fread(files[count].b, 1, SIZE, f);
        fclose(f);
        LLVMFuzzerTestOneInput(files[count].b, files[count].n);
        count++;
    }
    closedir(d);
    if (count == 0)
        return fprintf(stderr, "%s has no files\n", argv[1]), 2;
    uint32_t seed = 88172645;
    long runs = atol(argv[2]);
    for (long i = 0; i < runs; i++) {
        size_t from = test_random(&seed) % count;
        uint8_t *b = malloc(SIZE);
        memcpy(b, files[from].b, files[from].n);
        size_t n = change(b, files[from].n, test_random(&seed) % count, &seed);
        uint8_t *exact = malloc(n + 1); /* so that a byte too far is seen */
        memcpy(exact + 1, b, n);
        LLVMFuzzerTestOneInput(exact + 1, n);
        free(exact);
        free(b);
    }
    printf("%zu files, %ld changed: nothing found\n", count, runs);
    return 0;
}
