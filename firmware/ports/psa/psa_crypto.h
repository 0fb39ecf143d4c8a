/* The cryptography of updates by the PSA functions of mbedTLS, which Debian's and that of ESP-IDF have alike. */
#ifndef UNHIDRA_PSA_CRYPTO_H
#define UNHIDRA_PSA_CRYPTO_H

#include "unhidra/offer.h"

uh_status uh_psa_crypto(uh_crypto *crypto);

#endif
