#!/bin/sh
# Writes .env from .env.example with secrets of its own. Never overwrites one.
set -eu
cd "$(dirname "$0")"

if [ -e .env ] || [ -L .env ]; then
    cat >&2 <<TEXT
setup_env.sh: .env is there already; remove it first if you want a new one.
A database that was made with it keeps the password in it, so rather keep a copy.
TEXT
    exit 1
fi

random() { LC_ALL=C tr -dc 'A-Za-z0-9' </dev/urandom | head -c "$1"; }

database_password=$(random 32)
umask 077
# Written aside and moved, so that there is a whole .env or none.
trap 'rm -f .env.new' EXIT
sed -e "s|^JWT_SECRET=.*|JWT_SECRET=$(random 48)|" \
    -e "s|aims:aims_pass@|aims:$database_password@|" \
    -e "s|^POSTGRES_PASSWORD=.*|POSTGRES_PASSWORD=$database_password|" \
    -e "s|^PGADMIN_PASSWORD=.*|PGADMIN_PASSWORD=$(random 24)|" .env.example >.env.new
mv .env.new .env

cat <<TEXT
Wrote .env with fresh secrets; only you can read it.

One thing is left: open .env and set GOOGLE_CLIENT_ID to the client ids of your apps.
(With a database of your own instead of Docker's, set DATABASE_URL as well.)

Then: docker-compose up -d
TEXT
