# Every target sets up what it needs in .venv; only Python 3.11+ has to be there.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.PHONY: demo test lint bench schema docs clean

demo: $(STAMP)
	@$(BIN)/python examples/demo.py

# The tests of HTML reports need a Chromium: `.ci/browser` finds one, or installs Debian's.
test: $(STAMP)
	$(BIN)/pytest

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(STAMP)
	$(BIN)/python -m tests.benchmarks

schema: $(STAMP)
	$(BIN)/reconciler schema --out schema

docs: $(STAMP)
	$(BIN)/python -m tools

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable '.[dev]'
	@touch $@
