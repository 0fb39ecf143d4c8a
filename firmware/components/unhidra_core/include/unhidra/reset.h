/* A factory reset: the device forgets its network, its server, its key and what it measured. Its firmware stays, and so
 * does what protects updates: the root of keys, the oldest version that it takes, and the update that it is in. */
#ifndef UNHIDRA_RESET_H
#define UNHIDRA_RESET_H

#include "unhidra/session.h"

typedef struct {
    const uh_store *store;
    const uh_flash *const *logs;
    size_t count; /* of them */
    bool wanted;  /* by a button, or by the command */
    uint64_t since;
} uh_reset;

/* uh_reset_action is the action factory_reset, by which the owner takes the device back. */
uh_action uh_reset_action(uh_reset *r);
/* uh_reset_due says whether the program ends and calls uh_reset_run: when the server has the answer to the command, or
 * 10 seconds later. Before, uh_session_leave(s, "reset", 0) has the server end the key. */
bool uh_reset_due(uh_reset *r, const uh_session *s);
/* uh_reset_run forgets all; then the device restarts. If the power goes, uh_reset_finish, which is called at each start
 * before anything is read, does the rest. */
uh_status uh_reset_run(const uh_reset *r);
uh_status uh_reset_finish(const uh_reset *r);

#endif
