/* Which commands were carried out, so that each is carried out at most once, also over restarts. */
#ifndef UNHIDRA_COMMANDS_H
#define UNHIDRA_COMMANDS_H

#include "unhidra/bytes.h"
#include "unhidra/port.h"

#define UH_COMMAND_ID 40
#define UH_COMMAND_ANSWER 64 /* bytes of a result (JSON) or an error (text) */

typedef enum { UH_COMMAND_NONE, UH_COMMAND_BEGUN, UH_COMMAND_DONE, UH_COMMAND_FAILED } uh_command_state;

typedef struct {
    char id[UH_COMMAND_ID];
    char answer[UH_COMMAND_ANSWER];
    uint8_t state;
    uint8_t told; /* the server has the answer */
} uh_command;

#define UH_COMMANDS 16 /* that are remembered */

typedef struct {
    const uh_store *store;
    struct {
        uh_command list[UH_COMMANDS];
        uint32_t next;
    } kept; /* what is stored, as it is: another version of the core with another size begins anew */
} uh_commands;

/* uh_commands_open loads what is stored. A command that had begun when the power went has failed. */
uh_status uh_commands_open(uh_commands *c, const uh_store *store);
/* uh_commands_find returns a command that was begun before, or NULL. */
const uh_command *uh_commands_find(const uh_commands *c, uh_slice id);
/* uh_commands_begin remembers a command; only once that is stored may it be carried out. The oldest one that the server
 * knows the end of is forgotten; UH_FULL: there is none. */
uh_status uh_commands_begin(uh_commands *c, uh_slice id);
uh_status uh_commands_end(uh_commands *c, uh_slice id, uh_command_state state, uh_slice answer);
/* uh_commands_untold returns one whose answer the server does not have, or NULL. */
const uh_command *uh_commands_untold(const uh_commands *c);
uh_status uh_commands_told(uh_commands *c, uh_slice id);

#endif
