/* The connection of a device to its server: it connects and comes back, says what the device is, measures, sends what
 * is in the outbox, and has commands carried out. One thread calls uh_session_step again and again. */
#ifndef UNHIDRA_SESSION_H
#define UNHIDRA_SESSION_H

#include "unhidra/backoff.h"
#include "unhidra/commands.h"
#include "unhidra/outbox.h"
#include "unhidra/update.h"
#include "unhidra/ws.h"

/* What a device can be told to do. */
typedef struct {
    const char *name;
    const char *args; /* JSON as docs/devices.md has it, such as [{"name":"on","kind":"bool"}]; NULL: none */
    bool destructive;
    /* run does it. answer is a value of JSON that the user is shown, or nothing, and after an error a text that says
     * why. It is at most UH_COMMAND_ANSWER - 1 bytes. */
    uh_status (*run)(void *ctx, uh_slice args, char answer[UH_COMMAND_ANSWER]);
    void *ctx;
} uh_action;

typedef enum {
    UH_EVENT_ONLINE,   /* the server knows the device */
    UH_EVENT_OFFLINE,  /* code: a uh_status, a status of HTTP, or a close code; it comes back by itself */
    UH_EVENT_SHUT_OUT, /* code: of HTTP or of the close; it tries again after a quarter of an hour at the earliest */
    UH_EVENT_COMMAND,  /* a command was carried out; code: 0, or a uh_status */
    UH_EVENT_REFUSED,  /* the server refuses readings for good; code: how many kinds of them */
    UH_EVENT_FLASH     /* what was measured cannot be kept; code: a uh_status */
} uh_event;

typedef struct {
    const char *host, *path, *key; /* of the server, with its port; of the WebSocket; of the device */
    const char *model, *version, *serial; /* NULL: is not told */
    uint32_t heartbeat_s;          /* it is heard at least this often; 5 to 86,400, or 0: it promises nothing */
    uint32_t batch_ms;             /* how long a report waits for others */
    const uh_stream *stream;
    const uh_clock *clock;
    const uh_random *random;
    uh_sensors *sensors;
    uh_outbox *outbox;
    /* Reports of sensors that are urgent, such as alarms, in a log and a boot of their own: so they are not given up
     * for others when flash is full, and go first. NULL: they go with the others. */
    uh_outbox *urgent;
    uh_commands *commands;
    uh_updater *updater; /* NULL: the server does not update the device */
    const uh_action *actions;
    uint8_t action_count;
    uint8_t *rx, *tx, *scratch; /* frames that come and go; reports while they are packed */
    size_t rx_cap, tx_cap, scratch_cap; /* at least 2048, 2048, 512 */
    uint32_t spread_ms; /* the first attempt is after a random time up to this: not all at once after a power cut */
    void (*hear)(void *ctx, uh_event event, int code);
    void *ctx;
} uh_session_options;

/* Which request is not answered yet. */
typedef enum {
    UH_ASK_NOTHING,
    UH_ASK_DESCRIBE,
    UH_ASK_COMMANDS,
    UH_ASK_RESULT,
    UH_ASK_REPORT,
    UH_ASK_UPDATER,
    UH_ASK_PING
} uh_ask;

typedef struct {
    uh_session_options o;
    uh_backoff backoff, slow, retry;
    uh_ws_receiver receiver;
    char device[UH_COMMAND_ID]; /* the id, once the server has told it */
    bool connected, hello, was_online;
    bool describe, ask_commands;
    uint64_t now, next_attempt, connected_at, heard_at, sent_at, hold_until;
    uint32_t silence_ms; /* after which the connection is taken to be dead */
    uh_ask asked;
    uint32_t request; /* number of the last request */
    char command[UH_COMMAND_ID]; /* that UH_ASK_RESULT is about */
    uh_batch batch;
    uh_outbox *from; /* that batch is of */
    uint8_t in[256];
} uh_session;

uh_status uh_session_init(uh_session *s, const uh_session_options *o);
/* uh_session_step does what is due. With a connection it waits up to wait_ms for what comes, and returns 0; without one
 * it returns how many milliseconds the caller may sleep, at most wait_ms. Connecting may take as long as the stream
 * does, and 10 seconds. */
uint32_t uh_session_step(uh_session *s, uint32_t wait_ms);
/* uh_session_leave tells the server that the device goes away on purpose, for how many seconds, and closes the
 * connection; it waits up to 3 seconds for the answer. why is "sleep", "update", "restart", "off", or "reset": then the
 * server ends the key. */
void uh_session_leave(uh_session *s, const char *why, uint32_t back_in_s);

#endif
