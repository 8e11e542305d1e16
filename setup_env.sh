#!/bin/sh
# Writes .env from .env.example with secrets of its own. Never overwrites one.
set -eu
cd "$(dirname "$0")"

if [ -e .env ]; then
    echo "setup_env.sh: .env is there already; remove it first if you want a new one." >&2
    exit 1
fi

random() { LC_ALL=C tr -dc 'A-Za-z0-9' </dev/urandom | head -c "$1"; }

umask 077
sed -e "s|^JWT_SECRET=.*|JWT_SECRET=$(random 48)|" \
    -e "s|aims:aims_pass@|aims:$(random 32)@|" .env.example >.env
echo "Wrote .env with fresh secrets. Set GOOGLE_CLIENT_ID in it to go on."
