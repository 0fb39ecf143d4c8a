#pragma once
#include "network_provisioning/manager.h"
extern const network_prov_scheme_t network_prov_scheme_ble;
#define NETWORK_PROV_SCHEME_BLE_EVENT_HANDLER_FREE_BTDM {NULL, NULL}
