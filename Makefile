# The tasks of the project; `make` lists them. What a task needs and this machine lacks is installed by apt.
SHELL := bash
TARGET := $(or $(CARGO_TARGET_DIR),target)
export MQ_MODULE := $(abspath $(TARGET)/release/libmq.so)
export MQ_SERVERS ?= $(TARGET)/servers
# The servers of `make test-matrix`; empty: all of them.
SERVERS ?=
BENCH_SERVERS := redis-7.0 redis-8.6
BUILD := cargo build --release --locked
SHELL_SCRIPTS := $(wildcard scripts/*.sh bench/*.sh) .ci/run
PYTHON_SCRIPTS := $(wildcard scripts/*.py bench/*.py examples/python/*.py)

.PHONY: help build run test test-matrix lint fmt bench docker-up docker-down mutants asan memcheck soak clean

help:
	@awk -F': .*## |: ## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## the module, target/release/libmq.so
	@scripts/install-needs.sh build
	$(BUILD)

run: ## a server with the module on 6379 (or the next free port), until Ctrl-C
	@scripts/install-needs.sh build server
	$(BUILD)
	@exec scripts/run.sh

test: ## unit, property and server tests, and what the docs show
	@scripts/install-needs.sh build server docs
	$(BUILD)
	cargo test --locked --no-fail-fast
	python3 scripts/docs_check.py

test-matrix: ## the server tests on eleven servers (SERVERS="redis-6.0 valkey-9.1": on these)
	@scripts/install-needs.sh build fetch
	$(BUILD)
	@scripts/test-matrix.sh $(SERVERS)

lint: ## format, clippy, shell and Python scripts
	@scripts/install-needs.sh build lint
	cargo fmt --check
	cargo clippy --all-targets --locked -- -D warnings
	shellcheck -x $(SHELL_SCRIPTS)
	python3 -c 'import sys; [compile(open(path).read(), path, "exec") for path in sys.argv[1:]]' $(PYTHON_SCRIPTS)

fmt: ## formats the Rust code
	cargo fmt

bench: ## the cost of a message beside lists and Streams
	@scripts/install-needs.sh build fetch
	$(BUILD)
	scripts/servers.sh $(BENCH_SERVERS)
	python3 bench/bench.py $(BENCH_SERVERS:%=--server $(MQ_SERVERS)/%/redis-server)

mutants: ## plants small faults, one at a time, and shows which test catches each
	@scripts/install-needs.sh build server
	python3 scripts/mutants.py

asan: ## the server tests with server and module under AddressSanitizer
	@scripts/install-needs.sh build memory
	@scripts/memory-check.sh asan

memcheck: ## the server tests under valgrind's memcheck
	@scripts/install-needs.sh build memory
	@scripts/memory-check.sh memcheck

soak: ## ten million messages through one server, whose memory must stay flat
	@scripts/install-needs.sh build server
	$(BUILD)
	cargo test --release --locked --test server -- --ignored --nocapture soak:: | tee $(TARGET)/soak.log
	@grep -q ' 1 passed; 0 failed' $(TARGET)/soak.log

docker-up: ## builds the image and starts it by Compose on 127.0.0.1:6379
	@docker compose version > /dev/null || { echo 'Docker Compose v2 is needed ("docker compose").' >&2; exit 1; }
	docker compose up --build --detach --wait

docker-down: ## stops it; the queues stay in its volume
	docker compose down

clean: ## removes all that was built or fetched; the queues in data/ stay
	cargo clean
