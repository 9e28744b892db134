# `make demo` and `make test` need Python 3.11 or newer, make and a package index; nothing else. `make live-tools` needs Go.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

# Whether the tests on a real control plane run: `wanted` skips them in one line where their tools are not built, `required` then fails.
LIVE ?= wanted
LIVE_WORKERS ?= 4

.PHONY: demo test live-tools test-live lock clean
.DEFAULT_GOAL := demo

$(VENV)/.demo: requirements/demo.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PIP) --require-hashes -r requirements/demo.lock
	$(PIP) --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/.test: requirements/test.lock $(VENV)/.demo
	$(PIP) --require-hashes -r requirements/test.lock
	touch $@

demo: $(VENV)/.demo
	$(BIN)/python samples/demo.py

test: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	LIVE=$(LIVE) $(BIN)/python -m pytest -n $(LIVE_WORKERS) --dist worksteal --doctest-modules tests/live
	$(BIN)/python -m pytest -n auto --dist worksteal --doctest-modules --ignore=tests/live

# Go 1.26 or newer; once, about six minutes on two cores. Kept in the user's cache.
live-tools:
	$(PYTHON) -m tests.live.tools build

test-live: $(VENV)/.test
	LIVE=required $(BIN)/python -m pytest -n $(LIVE_WORKERS) --dist worksteal --doctest-modules tests/live

lock: pyproject.toml
	$(BIN)/python -m piptools compile --quiet --generate-hashes --allow-unsafe --no-emit-index-url --no-emit-find-links --strip-extras --output-file requirements/demo.lock pyproject.toml requirements/build.in
	$(BIN)/python -m piptools compile --quiet --generate-hashes --allow-unsafe --no-emit-index-url --no-emit-find-links --strip-extras --extra test --output-file requirements/test.lock pyproject.toml requirements/build.in

clean:
	rm -rf $(VENV) .demo
