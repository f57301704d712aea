#!/bin/sh
# The image's health check: the server answers PING. While it loads its data, it is not healthy.
set -eu
[ -z "${MQ_PASSWORD_FILE-}" ] || MQ_PASSWORD=$(cat "$MQ_PASSWORD_FILE")
[ -z "${MQ_PASSWORD-}" ] || export REDISCLI_AUTH="$MQ_PASSWORD"
case $(redis-cli ping 2> /dev/null) in
  PONG) ;;
  # The password or users were set elsewhere: the server answers, but this check cannot authenticate.
  NOAUTH*) ;;
  *) exit 1 ;;
esac
