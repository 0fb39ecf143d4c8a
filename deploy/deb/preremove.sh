#!/bin/sh
set -eu
# An upgrade restarts afterwards; the data stays in any case.
if [ "${1:-}" = remove ] && [ -d /run/systemd/system ]; then
  systemctl disable --now unhidra.service
fi
