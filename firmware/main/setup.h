#pragma once
#include "unhidra/setup.h"

/* setup_wait has the device set up, by network_provisioning with what is on its label, or by its serial console, and
 * returns once it has joined a network and knows its server. setup_begin initialises Wi-Fi before. */
void setup_begin(void);
void setup_wait(const uh_store *store, uh_setup *s);
/* setup_join joins the network that is known, and comes back to it for ever. false: it was not joined within_ms. */
bool setup_join(const uh_setup *s, uint32_t within_ms);
