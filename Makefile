# Everything happens in .venv and .vegafs below this folder; nothing else on the machine changes.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
# One worker more than cores: tests wait for servers and timeouts, too.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print((os.cpu_count() or 1) + 1)')
# Hundreds of processes import the same files: they are compiled once, whatever the machine says.
unexport PYTHONDONTWRITEBYTECODE
PYTEST   = $(BIN)/pytest -n $(WORKERS) --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help run test test-all lint types compiled tests installation all-tests soak fuzz bench locks clean

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Hashes pin what is installed; pip takes it from wherever this machine is set up to look.
LOCK ?= requirements-dev.lock

$(VENV)/.ready: $(LOCK) pyproject.toml surefoot/pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not installed; name another: make PYTHON=python3.12 …"; exit 2; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(LOCK)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e ./surefoot -e .
	@touch $@

run: $(VENV)/.ready  ## Start PostgreSQL, migrate to head and serve, all from this folder
	@$(BIN)/vegafs dev

test: lint  ## Lint, check types and run the tests
	@$(MAKE) --no-print-directory -j 2 types compiled
	@$(MAKE) --no-print-directory tests

lint: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.ready
	$(BIN)/mypy

# pytest rewrites the assertions of every file of tests, and each worker would do so by itself.
compiled: $(VENV)/.ready
	@$(BIN)/pytest --collect-only -q >/dev/null || true

tests: $(VENV)/.ready
	$(PYTEST) -m "not slow"

installation: $(VENV)/.ready  ## Try the library from a wheel, and every command of README.md
	$(PYTEST) surefoot/tests/installation tests/integration/test_readme.py

all-tests: $(VENV)/.ready
	$(PYTEST)

# Chains of revisions and faults by chance; a seed that was printed comes again with SEED=….
CASES ?= 300
SEED  ?=

soak: $(VENV)/.ready  ## Disturb runs of random revisions in random ways (CASES=300 SEED=…)
	cd surefoot/tests && $(abspath $(BIN))/python -m soak --cases $(CASES) $(if $(SEED),--seed $(SEED))

# Pairs of models by chance, for autogenerate.
SEEDS ?= 200

fuzz: $(VENV)/.ready  ## Take random changes of models up, down and up (SEEDS=200 SEED=…)
	cd surefoot/tests && $(abspath $(BIN))/python -m fuzz --seeds $(SEEDS) $(if $(SEED),--seed $(SEED))

# Parts: fresh, commands, squash, lock, startup, service.
ONLY ?=

bench: $(VENV)/.ready  ## Measure this project beside its peers, in 15 minutes (ONLY=fresh)
	cd surefoot && $(abspath $(BIN))/python benchmarks/table.py $(ONLY)

# Every Python on this machine, each in an environment of its own; 3.10 brings SQLAlchemy 2.0, the
# others 2.1. And every PostgreSQL: 18 is the default, 16 and 17 are wheels, others where installed.
PYTHONS    = $(shell for p in python3.10 python3.11 python3.12 python3.13 python3.14 python3.15 \
                 $(HOME)/.pyenv/versions/3.1?*/bin/python3; do \
                 $$p -c 'import sys; print("%d.%d=%s" % (*sys.version_info[:2], sys.executable))' \
                 2>/dev/null; done | sort -u -t= -k1,1)
PG_MAJORS := $(sort 16 17 $(patsubst /usr/lib/postgresql/%/bin/initdb,%,$(wildcard /usr/lib/postgresql/*/bin/initdb)))

BETWEEN  = $(filter-out $(lastword $(PYTHONS)),$(PYTHONS))
VERSION  = $(firstword $(subst =, ,$(1)))
ON       = $(MAKE) --no-print-directory PYTHON=$(lastword $(subst =, ,$(1))) \
               VENV=.venv-$(call VERSION,$(1))

test-all: lint types  ## All tests with the oldest and the newest of all, the quick ones between, a soak, a fuzz
	@echo "== Python $(call VERSION,$(lastword $(PYTHONS))), PostgreSQL 18"
	@$(call ON,$(lastword $(PYTHONS))) all-tests
	@echo "== Python $(call VERSION,$(firstword $(PYTHONS))), PostgreSQL $(firstword $(PG_MAJORS)), the lowest versions of packages"
	@SUREFOOT_TEST_PG_MAJOR=$(firstword $(PG_MAJORS)) $(MAKE) --no-print-directory LOCK=requirements-lowest.lock \
	    PYTHON=$(lastword $(subst =, ,$(firstword $(PYTHONS)))) VENV=.venv-lowest all-tests
	@set -e; $(foreach each,$(BETWEEN),echo "== Python $(call VERSION,$(each))"; $(call ON,$(each)) tests;)
	@set -e; $(foreach each,$(wordlist 2,99,$(PG_MAJORS)),echo "== PostgreSQL $(each)"; \
	    SUREFOOT_TEST_PG_MAJOR=$(each) $(MAKE) --no-print-directory tests;)
	@$(MAKE) --no-print-directory soak CASES=300
	@$(MAKE) --no-print-directory fuzz SEEDS=200

# `make locks UPGRADE=` keeps every version that still fits. surefoot is a folder here, not a release.
UPGRADE ?= --upgrade
COMPILE  = $(BIN)/uv pip compile --quiet $(UPGRADE) --universal --python-version 3.10 \
               --no-python-downloads --generate-hashes --no-header --no-annotate \
               --no-emit-package surefoot

locks: $(VENV)/.ready  ## Resolve the dependencies again and write the lock files
	$(BIN)/python -m pip install --quiet uv
	$(COMPILE) pyproject.toml -o requirements.lock >/dev/null
	$(COMPILE) pyproject.toml --extra dev -o requirements-dev.lock >/dev/null
	echo hatchling | $(COMPILE) -c requirements-dev.lock - -o requirements-build.lock >/dev/null
	$(COMPILE) --resolution lowest-direct --all-extras surefoot/pyproject.toml -o $(VENV)/lowest.txt >/dev/null
	$(COMPILE) -c $(VENV)/lowest.txt pyproject.toml --extra dev -o requirements-lowest.lock >/dev/null

clean:  ## Remove what make created: the environment, the development database and caches
	-@test -x $(BIN)/vegafs && $(BIN)/vegafs db stop --now
	rm -rf .venv .venv-* .vegafs .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
