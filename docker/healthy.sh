#!/bin/sh
# The image's health check: whether the server does what it is asked. While it loads its data it doesn't.
set -eu
[ -z "${MQ_PASSWORD_FILE-}" ] || MQ_PASSWORD=$(cat "$MQ_PASSWORD_FILE")
[ -z "${MQ_PASSWORD-}" ] || export REDISCLI_AUTH="$MQ_PASSWORD"
case $(redis-cli ping 2> /dev/null) in
  PONG) ;;
  # It has a password or users that it did not get from here: it answers, and says no more to this check.
  NOAUTH*) ;;
  *) exit 1 ;;
esac
