#!/bin/sh
# Starts the image's server; the arguments are settings. The password, if any, is taken from MQ_PASSWORD or from the file named
# by MQ_PASSWORD_FILE (a secret). The server reads it from standard input, so that it appears on no command line.
set -eu
[ -z "${MQ_PASSWORD_FILE-}" ] || MQ_PASSWORD=$(cat "$MQ_PASSWORD_FILE")
[ -n "${MQ_PASSWORD-}" ] || exec redis-server /etc/redis-mq.conf "$@"
quoted=$(printf %s "$MQ_PASSWORD" | sed 's/[\\"]/\\&/g')
exec redis-server /etc/redis-mq.conf "$@" - << END
requirepass "$quoted"
masterauth "$quoted"
END
