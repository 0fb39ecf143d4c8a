#!/bin/sh
# /etc/letsencrypt/renewal-hooks/deploy/unhidra.sh: certbot calls it after each
# renewal. A reload lets running sockets be.
set -eu
nginx -t
nginx -s reload
