# `make` lists the targets. Each installs the tools it needs with apt.
SHELL := bash
TARGET := $(or $(CARGO_TARGET_DIR),target)
export MQ_MODULE := $(abspath $(TARGET)/release/libmq.so)
export MQ_SERVERS ?= $(TARGET)/servers
# The target of `make install`. The systemd units of Debian's redis-server and valkey-server allow code from /usr/lib
# only. DESTDIR is prepended, for packaging.
PREFIX ?= /usr
MODULE_DIR ?= $(PREFIX)/lib/redis/modules
INSTALLED := $(DESTDIR)$(MODULE_DIR)/libmq.so
# The servers of `make test-matrix`; empty: all.
SERVERS ?=
# The servers of `make chaos`, and the seconds of fault injection per test.
CHAOS_SERVERS := redis-7.0 redis-8.6 valkey-9.1
CHAOS_SECONDS ?= 90
# I/O threads per server in `make test-matrix` (default: none), `make chaos` and `make asan` (default: 4).
IO_THREADS ?=
# Seconds per fuzzer in `make fuzz`.
FUZZ_SECONDS ?= 600
# Options of cargo-mutants for `make mutants`.
MUTANTS ?=
# The servers of `make bench` and their options (BENCH="--parts cycle"); the server of `make bench-peers` and `make bench-workers`.
BENCH_SERVERS ?= redis-7.0 redis-8.6 valkey-9.1
BENCH ?=
PEERS_SERVER ?= redis-8.6
DENY = "$$(scripts/cargo-tool.sh cargo-deny 0.20.2)" --locked
BUILD := @scripts/build.sh
SHELL_SCRIPTS := $(wildcard scripts/*.sh bench/*.sh bench/*/*.sh docker/*.sh clients/*/*.sh) console/test.sh .ci/run
PYTHON_SCRIPTS := $(wildcard scripts/*.py console/*.py bench/*.py bench/*/*.py examples/python/*.py tests/clients/*.py clients/contract/*.py)

.PHONY: help build console run install uninstall docker-up docker-down test test-matrix test-clients test-console test-coverage chaos fuzz asan memcheck soak mutants \
  upgrade-check install-check lint fmt deny deny-advisories bench bench-peers bench-workers clean

help:
	@awk -F': ## ' '/^## / {printf "%s%s:\n", n++ ? "\n" : "", substr($$0, 4)} \
	  /^[a-z-]+: ## / {printf "  make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

## Use it

run: ## starts a server with the module on 6379 or the next free port (PORT=7000), the console and a demo queue (DEMO=0: none), until Ctrl-C
	@scripts/install-needs.sh server
	$(BUILD)
	@echo 'Building the console, $(TARGET)/console/debug/redis-mq.'
	@cargo build --locked --quiet --manifest-path console/Cargo.toml --target-dir $(TARGET)/console
	@MQ_CONSOLE=$(TARGET)/console/debug/redis-mq exec scripts/run.sh

console: ## builds the console, target/console/release/redis-mq
	@scripts/install-needs.sh build
	cargo build --release --locked --manifest-path console/Cargo.toml --target-dir $(TARGET)/console

build: ## builds the module, target/release/libmq.so
	$(BUILD)

test: ## unit, property and server tests, and the examples in the docs
	@scripts/install-needs.sh server docs
	$(BUILD)
	RUST_TEST_THREADS=$$((3 * $$(nproc))) cargo test --locked --no-fail-fast
	python3 scripts/docs_check.py

install: ## as root: installs the module in /usr/lib/redis/modules (PREFIX=/usr, DESTDIR=)
	$(BUILD) --unless-fresh
	install -D -m 755 $(MQ_MODULE) $(INSTALLED)
	@echo 'Load it with "loadmodule $(MODULE_DIR)/libmq.so". Before that, read the install section of docs/operations.md.'

uninstall: ## removes the installed module
	rm -f $(INSTALLED)

docker-up: ## builds the images and starts them with Compose on 127.0.0.1:6379, the console on 127.0.0.1:8090
	@docker compose version > /dev/null || { echo 'Docker Compose v2 ("docker compose") is required.' >&2; exit 1; }
	docker compose up --build --detach --wait

docker-down: ## stops it; the volume with the queues is kept
	docker compose down

## Work on it

test-matrix: ## the server tests on eleven servers (SERVERS="redis-6.0 valkey-9.1": on these; IO_THREADS=4)
	@scripts/install-needs.sh fetch
	$(BUILD)
	@$(if $(IO_THREADS),MQ_IO_THREADS=$(IO_THREADS)) scripts/test-matrix.sh $(SERVERS)

test-clients: ## the clients and their workers on one server (CLIENTS="python go": only these; MQ_SERVER=/path/to/redis-server)
	@scripts/install-needs.sh server clients
	$(BUILD)
	@scripts/test-clients.sh $(CLIENTS)

test-console: ## the console, on one server, Sentinel and a cluster (MQ_SERVER=/path/to/redis-server)
	@scripts/install-needs.sh server console
	$(BUILD)
	console/test.sh

test-coverage: ## line coverage of the tests, by folder (about ten minutes)
	@scripts/install-needs.sh build server
	@python3 scripts/coverage.py

chaos: ## fault injection under load, for an hour (CHAOS_SECONDS=5: a few minutes)
	@scripts/install-needs.sh fetch
	$(BUILD)
	@MQ_CHAOS_SECONDS=$(CHAOS_SECONDS) MQ_IO_THREADS=$(or $(IO_THREADS),4) MQ_TESTS='--show-output chaos::' scripts/test-matrix.sh $(or $(SERVERS),$(CHAOS_SERVERS))

upgrade-check: ## upgrades from 0.1.0 under load, by a replica and by restarts (a few minutes)
	@scripts/install-needs.sh build server git
	$(BUILD)
	@scripts/upgrade-check.sh

install-check: ## installs it into Debian and starts the packaged servers with their own systemd units
	$(BUILD)
	@scripts/install-check.sh

lint: ## formatting, clippy, shell and Python scripts, stale mutants and bench tables
	@scripts/install-needs.sh build lint
	cargo fmt --check
	cargo fmt --check --manifest-path fuzz/Cargo.toml
	cargo clippy --all-targets --locked -- -D warnings
	RUSTFLAGS='--cfg fuzzing' cargo clippy --locked --manifest-path fuzz/Cargo.toml --target-dir $(TARGET)/fuzz/lint -- -D warnings
	shellcheck -x $(SHELL_SCRIPTS)
	python3 -c 'import sys; [compile(open(path).read(), path, "exec") for path in sys.argv[1:]]' $(PYTHON_SCRIPTS)
	python3 scripts/mutants.py --stale
	python3 bench/report.py --check

deny: ## licences, bans and sources of the dependencies
	@scripts/install-needs.sh build
	$(DENY) check licenses bans sources

deny-advisories: ## known vulnerabilities of the dependencies; fetches the RustSec database, fails offline
	@scripts/install-needs.sh build git
	$(DENY) check advisories

fmt: ## formats the Rust code
	cargo fmt
	cargo fmt --manifest-path fuzz/Cargo.toml
	cargo fmt --manifest-path console/Cargo.toml

bench: ## CPU and memory per message beside lists and Streams, about 12 minutes a server (BENCH_SERVERS=redis-7.0, BENCH="--parts cycle")
	@scripts/install-needs.sh fetch
	$(BUILD)
	scripts/servers.sh $(BENCH_SERVERS)
	@status=0; python3 bench/bench.py $(BENCH_SERVERS:%=--server $(MQ_SERVERS)/%/redis-server) $(BENCH) || status=$$?; \
	  python3 bench/report.py && exit $$status

bench-peers: ## the same beside BullMQ, RSMQ, Celery, beanstalkd, RabbitMQ, NATS and hand-written queues, about 10 minutes
	@scripts/install-needs.sh fetch peers
	$(BUILD)
	scripts/servers.sh $(PEERS_SERVER)
	bench/peers/install.sh $(TARGET)/peers
	@status=0; python3 bench/peers/peers.py --server $(MQ_SERVERS)/$(PEERS_SERVER)/redis-server --folder $(TARGET)/peers || status=$$?; \
	  python3 bench/report.py && exit $$status

bench-workers: ## the clients' workers beside BullMQ, Celery, RQ, Dramatiq, asynq and apalis, about 20 minutes
	@scripts/install-needs.sh build fetch clients
	$(BUILD)
	scripts/servers.sh $(PEERS_SERVER)
	bench/workers/install.sh $(TARGET)/workers
	@status=0; python3 bench/workers/workers.py --server $(MQ_SERVERS)/$(PEERS_SERVER)/redis-server --folder $(TARGET)/workers || status=$$?; \
	  python3 bench/report.py && exit $$status

fuzz: ## fuzzers for arguments, records, ops, sequences of ops and cron expressions (FUZZ_SECONDS=600 each)
	@scripts/install-needs.sh build fuzz
	@scripts/fuzz.sh run $(FUZZ_SECONDS)

mutants: ## mutation testing, for hours: cargo-mutants, then mutants that need servers (MUTANTS="--in-diff FILE", "--shard 0/8", "-F pull.rs")
	@scripts/install-needs.sh build server
	MQ_PROPERTY_SECONDS=2 "$$(scripts/cargo-tool.sh cargo-mutants 27.1.0)" mutants --output $(TARGET) $(MUTANTS)
	python3 scripts/mutants.py

asan: ## the server tests, server and module built with AddressSanitizer
	@scripts/install-needs.sh build memory
	@MQ_IO_THREADS=$(or $(IO_THREADS),4) scripts/memory-check.sh asan

memcheck: ## the server tests under valgrind's memcheck
	@scripts/install-needs.sh build memory
	@scripts/memory-check.sh memcheck

soak: ## ten million messages through one server, to detect leaks
	@scripts/install-needs.sh build server
	$(BUILD)
	cargo test --release --locked --test server -- --ignored --nocapture soak:: | tee $(TARGET)/soak.log
	@grep -q ' 1 passed; 0 failed' $(TARGET)/soak.log

clean: ## removes everything built or fetched; the queues in data/ are kept
	cargo clean
