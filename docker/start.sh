#!/bin/sh
# Starts the image's server, with the arguments as settings. The password, if there is one, is in the variable MQ_PASSWORD or
# in the file that MQ_PASSWORD_FILE names (a secret). The server reads it from its standard input: no command line shows it.
set -eu
[ -z "${MQ_PASSWORD_FILE-}" ] || MQ_PASSWORD=$(cat "$MQ_PASSWORD_FILE")
[ -n "${MQ_PASSWORD-}" ] || exec redis-server /etc/redis-mq.conf "$@"
quoted=$(printf %s "$MQ_PASSWORD" | sed 's/[\\"]/\\&/g')
exec redis-server /etc/redis-mq.conf "$@" - << END
requirepass "$quoted"
masterauth "$quoted"
END
