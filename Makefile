# The tasks of the project; `make` lists them. What a task needs and this machine lacks is installed by apt.
SHELL := bash
TARGET := $(or $(CARGO_TARGET_DIR),target)
export MQ_MODULE := $(abspath $(TARGET)/release/libmq.so)
export MQ_SERVERS ?= $(TARGET)/servers
# Where `make install` puts the module: the systemd units of Debian's redis-server and valkey-server let a server run
# code from /usr/lib only. DESTDIR goes before it, for packages.
PREFIX ?= /usr
MODULE_DIR ?= $(PREFIX)/lib/redis/modules
INSTALLED := $(DESTDIR)$(MODULE_DIR)/libmq.so
# The servers of `make test-matrix`; empty: all of them.
SERVERS ?=
# The same of `make chaos`, and how many seconds each of its tests breaks things.
CHAOS_SERVERS := redis-7.0 redis-8.6 valkey-9.1
CHAOS_SECONDS ?= 90
# The I/O threads of each server of `make test-matrix` (empty: none), and of `make chaos` and `make asan` (4).
IO_THREADS ?=
# How long `make fuzz` runs each fuzzer.
FUZZ_SECONDS ?= 600
BENCH_SERVERS := redis-7.0 redis-8.6
DENY = "$$(scripts/cargo-tool.sh cargo-deny 0.20.2)" --locked
BUILD := @scripts/build.sh
SHELL_SCRIPTS := $(wildcard scripts/*.sh bench/*.sh docker/*.sh) .ci/run
PYTHON_SCRIPTS := $(wildcard scripts/*.py bench/*.py examples/python/*.py tests/clients/*.py)

.PHONY: help build run install uninstall docker-up docker-down test test-matrix test-coverage chaos fuzz asan memcheck soak mutants \
  install-check lint fmt deny deny-advisories bench clean

help:
	@awk -F': ## ' '/^## / {printf "%s%s:\n", n++ ? "\n" : "", substr($$0, 4)} \
	  /^[a-z-]+: ## / {printf "  make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

## Use it

run: ## starts a server with the module on 6379 or the next free port (PORT=7000: there), until Ctrl-C
	@scripts/install-needs.sh server
	$(BUILD)
	@exec scripts/run.sh

build: ## builds the module, target/release/libmq.so
	$(BUILD)

test: ## unit, property and server tests, and what the docs show
	@scripts/install-needs.sh server docs
	$(BUILD)
	cargo test --locked --no-fail-fast
	python3 scripts/docs_check.py

install: ## as root: puts the module into /usr/lib/redis/modules (PREFIX=/usr, DESTDIR=)
	$(BUILD) --unless-fresh
	install -D -m 755 $(MQ_MODULE) $(INSTALLED)
	@echo 'Load it by "loadmodule $(MODULE_DIR)/libmq.so": docs/operations.md says how, and what to do first.'

uninstall: ## removes it from there
	rm -f $(INSTALLED)

docker-up: ## builds the image and starts it by Compose on 127.0.0.1:6379
	@docker compose version > /dev/null || { echo 'Docker Compose v2 is needed ("docker compose").' >&2; exit 1; }
	docker compose up --build --detach --wait

docker-down: ## stops it; the queues stay in its volume
	docker compose down

## Work on it

test-matrix: ## the server tests on eleven servers (SERVERS="redis-6.0 valkey-9.1": on these; IO_THREADS=4: with threads)
	@scripts/install-needs.sh fetch
	$(BUILD)
	@$(if $(IO_THREADS),MQ_IO_THREADS=$(IO_THREADS)) scripts/test-matrix.sh $(SERVERS)

test-coverage: ## which lines the tests run, by folder (about ten minutes)
	@scripts/install-needs.sh build server
	@python3 scripts/coverage.py

chaos: ## servers that are broken under load, for an hour (CHAOS_SECONDS=5: for some minutes)
	@scripts/install-needs.sh fetch
	$(BUILD)
	@MQ_CHAOS_SECONDS=$(CHAOS_SECONDS) MQ_IO_THREADS=$(or $(IO_THREADS),4) MQ_TESTS='--show-output chaos::' scripts/test-matrix.sh $(or $(SERVERS),$(CHAOS_SERVERS))

install-check: ## installs it into Debian, whose own units must start redis-server and valkey-server with it
	$(BUILD)
	@scripts/install-check.sh

lint: ## format, clippy, shell and Python scripts, the code that the mutants replace
	@scripts/install-needs.sh build lint
	cargo fmt --check
	cargo fmt --check --manifest-path fuzz/Cargo.toml
	cargo clippy --all-targets --locked -- -D warnings
	RUSTFLAGS='--cfg fuzzing' cargo clippy --locked --manifest-path fuzz/Cargo.toml --target-dir $(TARGET)/fuzz/lint -- -D warnings
	shellcheck -x $(SHELL_SCRIPTS)
	python3 -c 'import sys; [compile(open(path).read(), path, "exec") for path in sys.argv[1:]]' $(PYTHON_SCRIPTS)
	python3 scripts/mutants.py --stale

deny: ## licences, bans and sources of the dependencies
	@scripts/install-needs.sh build
	$(DENY) check licenses bans sources

deny-advisories: ## known faults of the dependencies; fetches the RustSec database, and fails where it can't
	@scripts/install-needs.sh build git
	$(DENY) check advisories

fmt: ## formats the Rust code
	cargo fmt
	cargo fmt --manifest-path fuzz/Cargo.toml

bench: ## the cost of a message beside lists and Streams
	@scripts/install-needs.sh fetch
	$(BUILD)
	scripts/servers.sh $(BENCH_SERVERS)
	python3 bench/bench.py $(BENCH_SERVERS:%=--server $(MQ_SERVERS)/%/redis-server)

fuzz: ## arbitrary bytes as arguments, records, ops and choices (FUZZ_SECONDS=600 for each)
	@scripts/install-needs.sh build fuzz
	@scripts/fuzz.sh run $(FUZZ_SECONDS)

mutants: ## applies faults one at a time, and shows which server test catches each
	@scripts/install-needs.sh build server
	python3 scripts/mutants.py

asan: ## the server tests with server and module under AddressSanitizer
	@scripts/install-needs.sh build memory
	@MQ_IO_THREADS=$(or $(IO_THREADS),4) scripts/memory-check.sh asan

memcheck: ## the server tests under valgrind's memcheck
	@scripts/install-needs.sh build memory
	@scripts/memory-check.sh memcheck

soak: ## ten million messages through one server, whose memory must stay flat
	@scripts/install-needs.sh build server
	$(BUILD)
	cargo test --release --locked --test server -- --ignored --nocapture soak:: | tee $(TARGET)/soak.log
	@grep -q ' 1 passed; 0 failed' $(TARGET)/soak.log

clean: ## removes all that was built or fetched; the queues in data/ stay
	cargo clean
