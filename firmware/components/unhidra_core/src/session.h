/* What the files of the session share. */
#ifndef UNHIDRA_SESSION_PARTS_H
#define UNHIDRA_SESSION_PARTS_H

#include "unhidra/session.h"

/* How a connection ends. retry_ms is how long to wait at least. */
void uh_session_drop(uh_session *s, int code, bool shut_out, uint32_t retry_ms);

/* uh_session_ask sends the next request that is due, if none is open. */
void uh_session_ask(uh_session *s);
/* uh_session_text takes a text frame. */
void uh_session_text(uh_session *s, uh_slice frame, bool truncated);

/* uh_request begins a request, and uh_send ends and sends it. */
void uh_request(uh_session *s, uh_json *w, const char *type, uh_ask ask);
uh_status uh_send(uh_session *s, uh_json *w);

#endif
