/* The client's side of RFC 6455: the handshake, and frames. It has no input or output of its own. */
#ifndef UNHIDRA_WS_H
#define UNHIDRA_WS_H

#include "unhidra/bytes.h"

#define UH_WS_NONCE 16
/* Bytes that must be free before a payload that uh_ws_seal makes a frame of. */
#define UH_WS_HEAD 8
#define UH_WS_MAX_PAYLOAD 65535
#define UH_WS_MAX_CONTROL 125

typedef enum { UH_WS_TEXT = 1, UH_WS_CLOSE = 8, UH_WS_PING = 9, UH_WS_PONG = 10 } uh_ws_opcode;

/* uh_ws_request writes the request that opens a WebSocket for a device: its key goes as a subprotocol, as
 * docs/protocol.md says. The buffer holds the key: wipe it once it is sent. */
uh_status uh_ws_request(const char *host, const char *path, const char *key, const uint8_t nonce[UH_WS_NONCE],
                        char *out, size_t cap, size_t *len);

typedef struct {
    int status;           /* of HTTP */
    uint32_t retry_after; /* seconds; 0: the server names none */
    size_t size;          /* bytes that the head has; frames follow */
} uh_ws_response;

/* uh_ws_read_response reads the head of the answer. UH_AGAIN: it is not whole. UH_REFUSED: the status is not 101, see
 * r. UH_PROTOCOL: this is no answer to that request. */
uh_status uh_ws_read_response(const char *b, size_t n, const uint8_t nonce[UH_WS_NONCE], uh_ws_response *r);

/* uh_ws_seal makes a frame of the n bytes that lie UH_WS_HEAD behind b: it masks them where they are. The frame begins
 * at b + *start. n is at most UH_WS_MAX_PAYLOAD. */
uh_status uh_ws_seal(uint8_t *b, size_t n, uh_ws_opcode op, const uint8_t mask[4], size_t *start, size_t *total);

/* A receiver puts frames together. A message that is longer than its buffer is kept up to there, as truncated. */
typedef struct {
    uint8_t *b;
    size_t cap;
    size_t len;
    bool truncated;
    uint8_t control[UH_WS_MAX_CONTROL]; /* of the last ping, pong or close */
    uint8_t control_len;

    uint8_t head[10];
    uint8_t head_len;
    uint64_t left; /* bytes of the frame that have not come */
    uint8_t opcode, fin;
    uint8_t in_frame, in_message;
    uint8_t utf8_more, utf8_low, utf8_high; /* what may follow in the text */
} uh_ws_receiver;

typedef enum { UH_WS_NOTHING, UH_WS_GOT_TEXT, UH_WS_GOT_PING, UH_WS_GOT_PONG, UH_WS_GOT_CLOSE } uh_ws_event;

void uh_ws_receive(uh_ws_receiver *r, uint8_t *b, size_t cap);
/* uh_ws_feed takes bytes up to the end of a frame that means something, and says in *used how many. UH_PROTOCOL: close
 * with 1002, UH_SYNTAX: text that is not UTF-8, close with 1007. */
uh_status uh_ws_feed(uh_ws_receiver *r, const uint8_t *in, size_t n, size_t *used, uh_ws_event *event);
/* uh_ws_close_code is the code of a close frame that has come, 1005 if it has none. */
int uh_ws_close_code(const uh_ws_receiver *r);

#endif
