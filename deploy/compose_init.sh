#!/bin/sh
# Prepares the compose stack before its services start: generates keys, each in a separate volume that
# is mounted only by the services that may read it, and the sample database. Keeps existing ones. A
# secret that .env provides as a file (NAME_FILE) is mounted only here and replaces the generated one.
set -eu
KEYS=/run/aam/keys
GIVEN=/run/aam/given
HOME_DIRECTORY=/var/lib/aam/.aam
OWNER=10001:10001
umask 077

# put FILE TEXT: writes a file atomically, readable only by the services' user.
put() {
  printf '%s\n' "$2" >"$KEYS/$1.new"
  chown "$OWNER" "$KEYS/$1.new"
  mv "$KEYS/$1.new" "$KEYS/$1"
}

# made FILE [PREFIX]: 48 random bytes, generated once.
made() {
  file=$1.made
  # From a version that used the other name.
  if [ ! -s "$KEYS/$file" ] && [ -s "$KEYS/$1" ]; then put "$file" "$(cat "$KEYS/$1")"; fi
  if [ ! -s "$KEYS/$file" ]; then
    random=$(head -c 48 /dev/urandom | base64 -w 0 | tr '+/' '-_')
    [ ${#random} -eq 64 ]
    put "$file" "${2:-}$random"
    echo "made $1" >&2
  fi
  cat "$KEYS/$file"
}

# given NAME: the content of the file that NAME_FILE names; empty if it names none.
given() { cat "$GIVEN/$1" 2>/dev/null || true; }

# secret FILE NAME DEFAULT: the provided secret, otherwise the default.
secret() {
  text=$(given "$2")
  put "$1" "${text:-$3}"
}

for volume in "$KEYS"/*/; do
  chown "$OWNER" "$volume"
  chmod 0711 "$volume"
done

secret api/api_key AAM_API_KEY "$(made api/api_key aam_)"
secret services/service_token_key SERVICE_TOKEN_KEY "$(made services/service_token_key)"
secret airbyte/secret_key AIRBYTE_SECRET_KEY "$(made airbyte/secret_key)"
secret broker/secret_key SECRET_KEY "$(made broker/secret_key)"
secret broker/salesforce_client_secret SALESFORCE_CLIENT_SECRET ""
secret broker/salesforce_refresh_token SALESFORCE_REFRESH_TOKEN ""

# The embedded Airbyte always has a client. An Airbyte without authentication has none: then
# AIRBYTE_CLIENT_ID is set and empty.
client=$(made airbyte_client/client_secret)
secret airbyte/client_secret AIRBYTE_CLIENT_SECRET "$client"
[ -n "${AIRBYTE_CLIENT_ID-unset}" ] || client=""
secret airbyte_client/client_secret AIRBYTE_CLIENT_SECRET "$client"
secret airbyte_client/proxy_url AIRBYTE_PROXY_URL ""

# The databases' images read their passwords as their own users. Only the services also mount the
# volumes; their URLs contain the passwords anyway.
password=$(made database/password)
put database/password "$password"
chmod 0444 "$KEYS/database/password"
url=$(given DATABASE_URL)
[ -n "$url" ] || url=$(given SUPABASE_DB_URL)
[ -n "$url" ] || url="postgresql://aam:$password@postgres:5432/aam"
put database/url "$url"
# A URL in .env takes precedence over any file, for the broker too.
secret broker/database_url AUTH_BROKER_DATABASE_URL "${DATABASE_URL:-${SUPABASE_DB_URL:-$url}}"

password=$(made redis/password)
put redis/redis.conf "dir /data
requirepass $password"
chmod 0444 "$KEYS/redis/redis.conf"
secret redis/url REDIS_URL "redis://:$password@redis:6379"

mkdir -p "$HOME_DIRECTORY"
chmod 0700 "$HOME_DIRECTORY"
aam sample "$HOME_DIRECTORY/sample.db"
chown -R "$OWNER" /var/lib/aam
