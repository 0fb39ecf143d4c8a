#include "unhidra/status.h"

const char *uh_status_text(uh_status s) {
    switch (s) {
#define UH_STATUS_CASE(name, text) \
    case UH_##name:                \
        return text;
        UH_STATUS_LIST(UH_STATUS_CASE)
#undef UH_STATUS_CASE
    }
    return "unknown";
}
