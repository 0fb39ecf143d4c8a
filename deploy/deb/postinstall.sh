#!/bin/sh
set -eu
getent group unhidra >/dev/null || groupadd --system unhidra
getent passwd unhidra >/dev/null || useradd --system --gid unhidra --home-dir /var/lib/unhidra --shell /usr/sbin/nologin unhidra
chgrp unhidra /etc/unhidra/unhidra.conf
chmod 0640 /etc/unhidra/unhidra.conf # it may hold passwords
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  systemctl enable unhidra.service
  systemctl restart unhidra.service
fi
