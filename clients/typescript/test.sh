#!/usr/bin/env bash
# Installs, builds and tests the client: unit tests, and the contract of all clients with each Redis client.
# MQ_SERVER is a redis-server or valkey-server, MQ_MODULE the module.
set -euo pipefail
cd "$(dirname "$0")"
npm ci --silent --no-audit --no-fund
npm run --silent build
npx tsc
node --test --test-reporter=spec --test-timeout=180000 build/*.test.js

driver=(node build/driver/main.js)
echo 'The contract with node-redis, and the fake'
MQ_LIBRARY=redis python3 ../contract/run.py --fake -- "${driver[@]}"
echo 'The contract with ioredis'
MQ_LIBRARY=ioredis python3 ../contract/run.py -- "${driver[@]}"
