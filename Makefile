# Everything happens in .venv and .vegafs below this folder; nothing else on the machine changes.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help run test test-all lint types unit lock clean

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Hashes pin what is installed; pip takes it from wherever this machine is set up to look.
$(VENV)/.ready: requirements-dev.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not installed; name another: make PYTHON=python3.12 …"; exit 2; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

run: $(VENV)/.ready  ## Start PostgreSQL, migrate to head and serve, all from this folder
	@$(BIN)/vegafs dev

test: lint types unit  ## Lint, check types and run the tests

lint: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.ready
	$(BIN)/mypy

unit: $(VENV)/.ready
	$(BIN)/pytest -n auto

clean:  ## Remove what make created: the environment, the development database and caches
	-@test -x $(BIN)/vegafs && $(BIN)/vegafs db stop --now
	rm -rf $(VENV) .vegafs .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
