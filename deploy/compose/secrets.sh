#!/bin/sh
# Makes the secrets of the profile cluster, once.
set -eu
cd "$(dirname "$0")"
mkdir -p secrets
chmod 0700 secrets
for name in postgres_password nats_password server_key; do
  [ -e "secrets/$name" ] || openssl rand -hex 32 > "secrets/$name"
done
[ -e secrets/database_url ] ||
  printf 'postgres://unhidra:%s@postgres/unhidra?sslmode=disable\n' "$(cat secrets/postgres_password)" > secrets/database_url
if [ ! -e secrets/nats_url ]; then
  password=$(cat secrets/nats_password)
  printf 'nats://unhidra:%s@nats:4222\n' "$password" > secrets/nats_url
  printf 'listen: "0.0.0.0:4222"\nauthorization { user: unhidra, password: "%s" }\n' "$password" > secrets/nats_conf
fi
# The server in its container is another user than you; the folder keeps others out.
chmod 0644 secrets/*
