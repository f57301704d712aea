#!/usr/bin/env bash
# Installs, builds and tests the client: unit tests, and the contract of all clients with each Redis client.
# MQ_SERVER is a redis-server or valkey-server, MQ_MODULE the module.
set -euo pipefail
cd "$(dirname "$0")"
npm ci --silent --no-audit --no-fund
npm run --silent build
npx tsc
driver=(node build/driver/main.js)
for library in redis ioredis; do
  echo "clients/typescript with $library"
  MQ_LIBRARY=$library python3 ../contract/run.py --fake -- "${driver[@]}"
done
