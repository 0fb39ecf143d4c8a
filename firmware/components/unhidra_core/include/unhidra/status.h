/* What functions of the core return. */
#ifndef UNHIDRA_STATUS_H
#define UNHIDRA_STATUS_H

/* New ones are added at the end: programs may have stored the numbers. */
#define UH_STATUS_LIST(X)                                          \
    X(OK, "ok")                                                    \
    X(AGAIN, "more bytes are needed, or nothing came in time")     \
    X(END, "there is nothing further")                             \
    X(SPACE, "it does not fit into the buffer")                    \
    X(FULL, "the flash is full, and what is in it must be kept")   \
    X(IO, "the network or the flash failed")                       \
    X(CLOSED, "the other side has closed the connection")          \
    X(PROTOCOL, "the other side breaks the protocol")              \
    X(SYNTAX, "this is not JSON, or not of this form")             \
    X(MISSING, "it is not there")                                  \
    X(REFUSED, "the server refuses the device")                    \
    X(BUSY, "the server asks to come back later")                  \
    X(INVALID, "an argument is wrong")

typedef enum {
#define UH_STATUS_NAME(name, text) UH_##name,
    UH_STATUS_LIST(UH_STATUS_NAME)
#undef UH_STATUS_NAME
} uh_status;

/* uh_status_text says what a status means, for logs. */
const char *uh_status_text(uh_status s);

/* UH_TRY returns from a function that returns uh_status if a call did not succeed. */
#define UH_TRY(call)                        \
    do {                                    \
        uh_status uh_tried = (call);        \
        if (uh_tried != UH_OK)              \
            return uh_tried;                \
    } while (0)

#endif
