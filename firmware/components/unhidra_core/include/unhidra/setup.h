/* What a device must be told to get into its network and to its server, and the serial console by which it can be. */
#ifndef UNHIDRA_SETUP_H
#define UNHIDRA_SETUP_H

#include "unhidra/bytes.h"
#include "unhidra/port.h"

/* Texts end with a NUL, and are empty if they are not known. */
#define UH_SETUP_CA 3800
typedef struct {
    char ssid[33], password[65]; /* of the network */
    char server[140];            /* wss://HOST:PORT */
    char token[64];              /* by which the device gets its key: unhidra/claim.h */
    char ca[UH_SETUP_CA];        /* in PEM, unless a public authority has issued the server's certificate */
} uh_setup;

/* uh_setup_read reads JSON with ssid and password, or server, claim (the token) and ca, or all of them. After an error
 * nothing is known. UH_MISSING: neither a network nor a server with a claim is in it. UH_SPACE: a part is too long. */
uh_status uh_setup_read(uh_slice json, uh_setup *s);

/* uh_setup_save stores what is known, and leaves the rest as it is. With a server it forgets the key that the device
 * has: the token is for another one. */
uh_status uh_setup_save(const uh_setup *s, const uh_store *store);
uh_status uh_setup_load(uh_setup *s, const uh_store *store);
/* uh_setup_forget forgets the network, the server with its CA, and the token. */
uh_status uh_setup_forget(const uh_store *store);

/* uh_is_plain says whether a text can stand in a header: visible ASCII, and not empty. */
bool uh_is_plain(const char *text);

/* Bluetooth takes 512 bytes at once. What is longer comes in parts, which begin with '[' (the first), '+' or ']' (the
 * last). What begins with something else is whole. */
typedef struct {
    bool begun;
    size_t n;
    char text[UH_SETUP_CA + 500];
} uh_parts;

/* uh_parts_add takes what came. UH_OK: whole is all of it, until the next call. UH_AGAIN: another part follows.
 * UH_SPACE: it is too long. UH_MISSING: the parts before it did not come. After an error the first part comes again. */
uh_status uh_parts_add(uh_parts *p, uh_slice came, uh_slice *whole);

/* A serial console takes packets of Improv (improv-wifi.com/serial), which tell the network alone, and lines of JSON
 * that uh_setup_read reads. What the device logs in between is skipped by the other side. Improv is answered by its
 * packets, and a line by {"ok":true} or {"ok":false,"error":"..."}. */
typedef struct {
    void *ctx;
    void (*write)(void *ctx, const void *b, size_t n);
    const char *firmware, *version, *chip, *name; /* for Improv: what the device is, at most 60 bytes each */
    uh_setup *setup;
    bool joined;
    bool improv; /* that is how the setup came */
    bool over;   /* the line is too long */
    size_t n;
    char line[UH_SETUP_CA + 500];
} uh_console;

/* uh_console_feed takes a byte that came. It returns true when the setup has come: the device tries it, and says by
 * uh_console_tried what came of that. */
bool uh_console_feed(uh_console *c, uint8_t b);
void uh_console_tried(uh_console *c, uh_status what);

#endif
