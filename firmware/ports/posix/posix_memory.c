#define _DEFAULT_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "posix.h"

enum { SECTOR = 4096 };

static long power = -1;

void posix_power_after(long bytes) { power = bytes; }

/* put writes n bytes to a file, or as many as there is power for. */
static uh_status put(int fd, off_t at, const void *b, size_t n) {
    bool cut = power >= 0 && (size_t)power < n;
    size_t left = cut ? (size_t)power : n;
    const char *p = b;
    while (left > 0) {
        ssize_t done = pwrite(fd, p, left, at);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return UH_IO;
        p += done;
        at += done;
        left -= (size_t)done;
    }
    if (cut)
        _exit(99);
    if (power >= 0)
        power -= (long)n;
    return fdatasync(fd) == 0 ? UH_OK : UH_IO;
}

static int descriptor(void *ctx) { return (int)(intptr_t)ctx; }

static uh_status flash_read(void *ctx, uint32_t at, void *b, size_t n) {
    return pread(descriptor(ctx), b, n, at) == (ssize_t)n ? UH_OK : UH_IO;
}

/* As flash does, it can only clear bits. */
static uh_status flash_write(void *ctx, uint32_t at, const void *b, size_t n) {
    uint8_t part[512];
    for (size_t done = 0, take; done < n; done += take) {
        take = n - done < sizeof part ? n - done : sizeof part;
        UH_TRY(flash_read(ctx, at + (uint32_t)done, part, take));
        for (size_t i = 0; i < take; i++)
            part[i] &= ((const uint8_t *)b)[done + i];
        UH_TRY(put(descriptor(ctx), (off_t)(at + done), part, take));
    }
    return UH_OK;
}

static uh_status flash_erase(void *ctx, uint32_t at) {
    uint8_t erased[SECTOR];
    memset(erased, 0xFF, sizeof erased);
    return put(descriptor(ctx), at, erased, sizeof erased);
}

uh_status posix_flash_open(uh_flash *flash, const char *path, uint32_t size) {
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0)
        return UH_IO;
    *flash = (uh_flash){(void *)(intptr_t)fd, size, SECTOR, flash_read, flash_write, flash_erase};
    for (uint32_t at = (uint32_t)st.st_size / SECTOR * SECTOR; at < size; at += SECTOR)
        UH_TRY(flash_erase(flash->ctx, at));
    return UH_OK;
}

static bool path_of(char out[512], const char *folder, const char *name, const char *end) {
    return snprintf(out, 512, "%s/%s%s", folder, name, end) < 512;
}

static uh_status store_load(void *ctx, const char *name, void *b, size_t cap, size_t *n) {
    char path[512];
    struct stat st;
    if (!path_of(path, ctx, name, ""))
        return UH_INVALID;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? UH_MISSING : UH_IO;
    uh_status got = UH_IO;
    if (fstat(fd, &st) == 0) {
        *n = (size_t)st.st_size;
        got = *n > cap ? UH_SPACE : pread(fd, b, *n, 0) == (ssize_t)*n ? UH_OK : UH_IO;
    }
    close(fd);
    return got;
}

/* sync has a folder on disk as it is now. */
static uh_status sync_folder(const char *folder) {
    uh_status got = UH_OK;
    int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir >= 0) {
        if (fsync(dir) != 0)
            got = UH_IO;
        close(dir);
    }
    return got;
}

static uh_status store_save(void *ctx, const char *name, const void *b, size_t n) {
    char path[512], next[512];
    if (!path_of(path, ctx, name, "") || !path_of(next, ctx, name, ".next"))
        return UH_INVALID;
    int fd = open(next, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return UH_IO;
    uh_status got = put(fd, 0, b, n);
    close(fd);
    if (got == UH_OK && rename(next, path) != 0)
        got = UH_IO;
    uh_status synced = sync_folder(ctx);
    return got == UH_OK ? synced : got;
}

static uh_status store_erase(void *ctx, const char *name) {
    char path[512];
    if (!path_of(path, ctx, name, ""))
        return UH_INVALID;
    if (unlink(path) != 0)
        return errno == ENOENT ? UH_OK : UH_IO;
    return sync_folder(ctx);
}

uh_store posix_store(const char *folder) {
    return (uh_store){(void *)(uintptr_t)folder, store_load, store_save, store_erase};
}

static uint64_t ms_of(clockid_t id) {
    struct timespec t;
    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static uint64_t began;

static uint64_t uptime_ms(void *ctx) {
    (void)ctx;
    return ms_of(CLOCK_MONOTONIC) - began;
}

static uint64_t unix_ms(void *ctx) {
    (void)ctx;
    return ms_of(CLOCK_REALTIME);
}

uh_clock posix_clock(void) {
    if (began == 0)
        began = ms_of(CLOCK_MONOTONIC);
    return (uh_clock){NULL, uptime_ms, unix_ms};
}

static void fill(void *ctx, uint8_t *b, size_t n) {
    (void)ctx;
    while (n > 0) {
        ssize_t got = getrandom(b, n, 0);
        if (got < 0 && errno != EINTR)
            abort(); /* there is no going on without */
        if (got > 0) {
            b += got;
            n -= (size_t)got;
        }
    }
}

uh_random posix_random(void) { return (uh_random){NULL, fill}; }
