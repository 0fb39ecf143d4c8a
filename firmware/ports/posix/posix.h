/* The port for Linux: the same core as a process. */
#ifndef UNHIDRA_POSIX_H
#define UNHIDRA_POSIX_H

#include <stdbool.h>

#include "unhidra/offer.h"
#include "unhidra/port.h"
#include "unhidra/update.h"

/* A stream over TCP, with TLS by mbedTLS unless tls is false. */
typedef struct posix_stream posix_stream;
/* posix_stream_new returns NULL if the certificates of the authorities (a file in PEM) cannot be read, and says why. */
posix_stream *posix_stream_new(const char *host, const char *port, bool tls, const char *ca_file);
void posix_stream_free(posix_stream *s);
uh_stream posix_stream_port(posix_stream *s);

uh_clock posix_clock(void);
uh_random posix_random(void);

/* A flash in a file, in sectors of 4 KiB. It is made, erased, if it is not there. */
uh_status posix_flash_open(uh_flash *flash, const char *path, uint32_t size);

/* A store whose values are files of a folder. */
uh_store posix_store(const char *folder);

/* A board in a file, whose bootloader runs now. Without an image it takes that of a file. Images are for ESP32-C3: those
 * of `unhidra simulate image`, or real ones, of which the board pretends that they run. */
uh_status posix_board_open(uh_board *b, const char *path, uint32_t slot_size, const char *image, const uh_crypto *c);
/* posix_board_does says how the image that runs fails: "crashes", "unfit", "deaf", or not at all. */
const char *posix_board_does(void);
/* posix_board_restarts says whether the process must end, and be started again. */
bool posix_board_restarts(void);

/* posix_power_after has the power go after so many bytes that are written to flash and stores: the process then ends at
 * once, with status 99, in the midst of a write. Below 0: it lasts. For tests. */
void posix_power_after(long bytes);

#endif
