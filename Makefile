# Twofold. `make` alone lists the targets.
# Every target makes the environment it needs; the second time costs nothing.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help run demo test test-faults test-browser test-postfix test-clients newcomer check guards bench \
	bench-verifiers generate format lock

# The first Python of 3.11 or newer; PYTHON=... names another.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3.14 python3; do \
	$$p -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
ENVIRONMENT := .venv/made-from
TESTS := tests --ignore=tests/faults --ignore=tests/browser --ignore=tests/postfix --ignore=tests/clients
# One more than cores, as tests wait now and then; what measures time runs alone afterwards.
PROCESSES := $(shell n=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2); [ $$n -lt 4 ] || n=4; echo $$((n + 1)))

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

run: $(ENVIRONMENT) ## serve on 127.0.0.1:50051 in development mode, PostgreSQL included (DATABASE_URL: your own)
	@exec $(BIN)/python -m dev.run

demo: $(ENVIRONMENT) ## play the main story, from sign-up to deletion, against the service
	@exec $(BIN)/python -m dev.demo

test: $(ENVIRONMENT) ## run every test, on a real PostgreSQL (POSTGRES_BIN: another one's binaries; ARGS: for pytest)
	@$(BIN)/pytest $(TESTS) -q -m "not alone" -n $(PROCESSES) --dist worksteal $(ARGS)
	@$(BIN)/pytest $(TESTS) -q -m alone $(ARGS) || [ $$? = 5 ]

test-faults: $(ENVIRONMENT) ## break PostgreSQL, disks, workers and clocks under the service; five minutes (ARGS: for pytest)
	@exec $(BIN)/pytest tests/faults -q $(ARGS)

test-browser: $(ENVIRONMENT) ## use passkeys in headless Chromium, which must be installed (ARGS: for pytest)
	@for name in chromium chromium-browser google-chrome; do command -v $$name >/dev/null && exit 0; done; \
		echo "make test-browser needs Chromium, and there is none (Debian: apt install chromium)" >&2; exit 1
	@exec $(BIN)/pytest tests/browser -q $(ARGS)

test-postfix: $(ENVIRONMENT) ## send mail through a real Postfix, which must be installed; as root (ARGS: for pytest)
	@[ -x /usr/sbin/postfix ] && [ "$$(id -u)" = 0 ] || { \
		echo "make test-postfix needs Postfix, and root to start it (Debian: apt install postfix)" >&2; exit 1; }
	@exec $(BIN)/pytest tests/postfix -q $(ARGS)

test-clients: $(ENVIRONMENT) ## try every client against one server; needs Go, Node, Java and Maven (LANGUAGES="go java": these alone)
	@set -e; chosen=$$($(BIN)/python -m dev.languages $(LANGUAGES)); for language in $$chosen; do \
		[ ! -f clients/$$language/Makefile ] || $(MAKE) --no-print-directory -C clients/$$language build; done
	@LANGUAGES="$(LANGUAGES)" $(BIN)/pytest tests/clients -q $(ARGS)

newcomer: $(ENVIRONMENT) ## go a newcomer's way in empty folders: run what the READMEs say, from a clone to a sign-in by each client
	@exec $(BIN)/python -m dev.newcomer $(ARGS)

check: $(ENVIRONMENT) ## lint, format, types, import rules, contract, each client's own checks, freshness of what is generated
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/buf lint
	$(BIN)/python -m dev.generate --check
	$(BIN)/python -m dev.reference --check
	@set -e; chosen=$$($(BIN)/python -m dev.languages); for language in $$chosen; do \
		[ ! -f clients/$$language/Makefile ] || $(MAKE) --no-print-directory -C clients/$$language check; done

guards: $(ENVIRONMENT) ## show that each guard has a test that fails without it (ARGS: names of guards)
	@exec $(BIN)/python -m dev.guards $(ARGS)

bench: $(ENVIRONMENT) ## measure calls against limits of the same run; needs Go, 10 minutes (ARGS=--quick: one minute)
	@exec $(BIN)/python -m tests.load.bench $(ARGS)

bench-verifiers: $(ENVIRONMENT) ## measure each client's verifier on one core, against a bare signature check and a hash
	@exec $(BIN)/python -m tests.load.verifiers $(ARGS)

generate: $(ENVIRONMENT) ## write what comes from protos/ (each client's stubs, docs/reference, docs/errors.md) and from VERSION
	@$(BIN)/python -m dev.generate
	@$(BIN)/python -m dev.reference

format: $(ENVIRONMENT) ## format the code and make the safe fixes
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

lock: ## write requirements/*.txt from *.in (needs uv; ARGS=--upgrade for newer versions)
	@set -e; for name in dev runtime generate argon2; do \
		constraint=; [ $$name != runtime ] || constraint="--constraint requirements/dev.txt"; \
		uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
			$(ARGS) $$constraint requirements/$$name.in --output-file requirements/$$name.txt; done

# A file, not a phony target: nothing starts when nothing has changed.
$(ENVIRONMENT): requirements/dev.txt requirements/argon2.txt pyproject.toml clients/python/pyproject.toml
	@test -n "$(PYTHON)" || { echo "Twofold needs Python 3.11 or newer with venv (Debian: apt install python3-venv)" >&2; exit 1; }
	@$(PYTHON) -m dev.bootstrap
	@touch $@
