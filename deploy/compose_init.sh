#!/bin/sh
# Makes what the compose stack needs before its services start: keys, each in a volume of its own
# that only the services which may read it mount, and the sample database. Keeps what is there.
set -eu
KEYS=/run/aam/keys
HOME_DIRECTORY=/var/lib/aam/.aam
OWNER=10001:10001

# key FILE [PREFIX]: 48 random bytes, readable by the services' user alone; whole or not at all.
key() {
  file=$KEYS/$1
  [ -s "$file" ] && return
  umask 077
  random=$(head -c 48 /dev/urandom | base64 -w 0 | tr '+/' '-_')
  [ ${#random} -eq 64 ]
  printf '%s%s\n' "${2:-}" "$random" >"$file.new"
  chown "$OWNER" "$file.new"
  mv "$file.new" "$file"
  echo "made $1"
}

for volume in "$KEYS"/*/; do
  chown "$OWNER" "$volume"
  chmod 0711 "$volume"
done

key api/api_key aam_
key services/service_token_key
key airbyte_client/client_secret
key airbyte/secret_key
key broker/secret_key

# The database's image reads its password with a user of its own; nobody else mounts the volume but
# the services, which have the password in their URL anyway.
key database/password
chmod 0444 "$KEYS/database/password"
if [ ! -s "$KEYS/database/url" ]; then
  umask 077
  printf 'postgresql://aam:%s@postgres:5432/aam\n' "$(cat "$KEYS/database/password")" >"$KEYS/database/url.new"
  chown "$OWNER" "$KEYS/database/url.new"
  mv "$KEYS/database/url.new" "$KEYS/database/url"
fi

mkdir -p "$HOME_DIRECTORY"
chmod 0700 "$HOME_DIRECTORY"
aam sample "$HOME_DIRECTORY/sample.db"
chown -R "$OWNER" /var/lib/aam
