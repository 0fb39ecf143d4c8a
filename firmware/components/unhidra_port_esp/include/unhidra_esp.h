/* The port for ESP-IDF 5.3 or later. */
#ifndef UNHIDRA_ESP_H
#define UNHIDRA_ESP_H

#include "esp_tls.h"
#include "unhidra/update.h"

/* A stream over TLS. ca is in PEM, with its NUL in ca_size; NULL: the certificates that come with ESP-IDF. */
typedef struct {
    const char *host;
    int port;
    const unsigned char *ca;
    unsigned ca_size;
    esp_tls_t *tls;
} uh_esp_stream;

uh_stream uh_esp_stream_port(uh_esp_stream *s);

/* A data partition as a flash. It must not be encrypted: writes there have any length. */
uh_status uh_esp_flash(uh_flash *flash, const char *label);

/* Values in a namespace of NVS, which the caller has initialised. */
uh_store uh_esp_store(const char *space);

uh_clock uh_esp_clock(void);
/* Numbers are only unpredictable while the radio is on. */
uh_random uh_esp_random(void);

/* The two slots. What runs is described by the caller, but for the hash and the size of the image. */
uh_status uh_esp_board(uh_board *board, const uh_running *is, const uh_crypto *crypto);

#endif
