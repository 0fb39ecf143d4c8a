/* Updates of the firmware: docs/firmware-updates.md. What must not be forgotten is stored before it is acted on, so
 * that a device goes on after a power cut at any moment. */
#ifndef UNHIDRA_UPDATE_H
#define UNHIDRA_UPDATE_H

#include "unhidra/delta.h"
#include "unhidra/offer.h"
#include "unhidra/port.h"

#define UH_SECTOR 4096

/* What the bootloader has noted of an image, by the numbers of ESP-IDF. UH_SLOT_NONE: there is none. */
typedef enum {
    UH_SLOT_NEW,
    UH_SLOT_PENDING,
    UH_SLOT_VALID,
    UH_SLOT_INVALID,
    UH_SLOT_ABORTED,
    UH_SLOT_UNDEFINED,
    UH_SLOT_NONE
} uh_slot_state;

/* What runs. Texts are as the frame firmware has them. */
typedef struct {
    const char *product, *chip, *version, *reset_reason;
    uint16_t revision;
    uint32_t version_code, secure_version;
    uint8_t sha256[UH_SHA256_SIZE]; /* of the whole image */
    uint32_t size;                  /* of it */
} uh_running;

/* A device with two slots for images, of which it runs one. */
typedef struct {
    void *ctx;
    uh_running running;
    uint32_t slot_size;
    uh_slot_state (*state)(void *ctx); /* of the image that runs */
    uh_slot_state (*other)(void *ctx); /* of the one in the other slot */
    /* write writes to the other slot, up to a sector at a time, at a multiple of UH_SECTOR; it erases first. */
    uh_status (*write)(void *ctx, uint32_t at, const uint8_t *b, size_t n);
    uh_status (*read)(void *ctx, uint32_t at, uint8_t *b, size_t n); /* from the other slot */
    /* read_running reads the image that runs; NULL: no patches are applied. */
    uh_status (*read_running)(void *ctx, uint32_t at, uint8_t *b, size_t n);
    uh_status (*start)(void *ctx);   /* the bootloader starts the other slot the next time, once */
    uh_status (*confirm)(void *ctx); /* the image that runs stays */
    uh_status (*give_up)(void *ctx); /* the other one is started from now on */
    void (*restart)(void *ctx);      /* the caller of uh_session_step restarts soon */
    /* self_test says whether a new image works, once it has reached the server. NULL: that is enough. */
    uh_status (*self_test)(void *ctx);
} uh_board;

typedef enum { UH_UPDATE_NONE, UH_UPDATE_FETCHING, UH_UPDATE_STARTING, UH_UPDATE_CONFIRMED } uh_update_phase;

/* The update that a device is in, as it is stored. */
typedef struct {
    uh_taken taken;
    uh_update_phase phase;
    uint32_t offset; /* bytes that are in flash for certain */
    uint8_t starts;
} uh_open_update;

/* What is to be told or asked next. */
typedef enum {
    UH_DO_NOTHING,
    UH_DO_ACCEPTED,
    UH_DO_DOWNLOADING,
    UH_DO_READ,
    UH_DO_VERIFIED,
    UH_DO_INSTALLING,
    UH_DO_REBOOTING,
    UH_DO_TESTING,
    UH_DO_TESTED,
    UH_DO_SUCCEEDED,
    UH_DO_FAILED,
    UH_DO_REFUSE,
    UH_DO_DEFER
} uh_update_step;

typedef enum { UH_ASKED_NOTHING, UH_ASKED_REPORT, UH_ASKED_STEP } uh_updater_asked;

typedef struct {
    const uh_board *board;
    const uh_crypto *crypto;
    const uh_store *store;
    const uh_clock *clock;
    const uh_random *random;
    uint32_t window; /* bytes that are read at a time: a multiple of UH_SECTOR, at most 32 KiB */
    uh_root root, next;
    uint32_t floor;
    uh_updater_asked asked;
    uh_open_update open;
    char nonce[33];
    uint64_t nonce_at, told_at;
    bool report;   /* the server must be told what runs */
    bool ask_anew; /* and, once nothing else is to be told, the nonce for the next offer */
    bool off;    /* the server updates no devices */
    uh_update_step step;
    uint32_t at; /* bytes of the image, or of the patch, that have come */
    /* A patch is not gone on with after a restart: then the whole image comes. */
    uint32_t patch_size; /* 0: there is none */
    uint8_t patch_sha256[UH_SHA256_SIZE];
    uh_delta delta;
    uint8_t sector[UH_SECTOR]; /* of what the patch makes */
    uint32_t made;
    char about[UH_NAME_MAX + 1]; /* the update that is refused or deferred */
    char reason[64];
    uh_update_step asked_step; /* that the request which is not answered is about */
    bool again; /* a refused offer may be good with another nonce */
} uh_updater;

/* uh_updater_open reads what is stored. root is the payload of the root that the device was made with. rx is the
 * session's buffer for frames that come; how large a window may be follows from its size, and a root may have as many
 * bytes. */
uh_status uh_updater_open(uh_updater *u, const uh_board *board, const uh_crypto *crypto, const uh_store *store,
                          const uh_clock *clock, const uh_random *random, uh_slice root, uint8_t *rx,
                          size_t rx_cap);

/* The session calls these. uh_updater_hello: a connection has begun. */
void uh_updater_hello(uh_updater *u);
void uh_updater_offered(uh_updater *u, const char *device, uh_slice data, bool truncated);
/* uh_updater_due names the next request; NULL: there is none. uh_updater_write writes its data, into an object that is
 * open. */
const char *uh_updater_due(uh_updater *u, uint64_t now);
void uh_updater_write(uh_updater *u, uint64_t now, uh_json *w);
/* uh_updater_again has the last request asked again. */
void uh_updater_again(uh_updater *u);
/* uh_updater_answer takes the answer to that request. */
void uh_updater_answer(uh_updater *u, uh_slice frame, bool refused);

/* uh_updater_unconfirmed says whether an image runs that the next restart takes back. uh_updater_watch is the fail-safe
 * timer, which the program calls again and again: if such an image has not reached the server within_ms after the
 * start, it is taken back, and the device restarts. */
bool uh_updater_unconfirmed(const uh_updater *u);
void uh_updater_watch(uh_updater *u, uint32_t within_ms);

#endif
