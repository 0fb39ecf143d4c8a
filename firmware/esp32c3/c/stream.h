/* A stream over TLS. */
#ifndef UNHIDRA_STREAM_H
#define UNHIDRA_STREAM_H

#include "unhidra/port.h"

/* stream_to says to whom the stream connects, and by which authority, in PEM. */
uh_status stream_to(const char *host, uint16_t port, const char *ca);
uh_stream stream_port(void);

#endif
