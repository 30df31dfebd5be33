# Every target sets up what it needs in .venv; only Python 3.11+ has to be there.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
LOCK   := .ci/requirements/dev.txt
UV     ?= $(BIN)/uv
COMPILE = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url

.PHONY: demo test test-fast lint format bench bench-quick schema docs lock audit dist clean

demo: $(STAMP)
	@$(BIN)/python examples/demo.py

# The tests need a Chromium and other servers: `.ci/servers` finds or installs them.
test: $(STAMP)
	$(BIN)/pytest

# While you work: what runs in the tests' own process. No kill sweeps, no property tests, no whole examples, no servers of others.
# Under a minute; tests/conftest.py says what counts as slow.
test-fast: $(STAMP)
	$(BIN)/pytest -m "not slow"

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP)
	$(BIN)/python -m tests.benchmarks

# The same with less work and fewer rounds: it ends within five minutes, and writes no page.
bench-quick: $(STAMP)
	$(BIN)/python -m tests.benchmarks --quick

schema: $(STAMP)
	$(BIN)/reconciler schema --out schema

docs: $(STAMP)
	$(BIN)/python -m tools

# Pins every dependency with its hashes: for development and CI, for the image, and for its build.
lock:
	$(COMPILE) --extra dev pyproject.toml --output-file $(LOCK)
	$(COMPILE) --extra server --extra postgres --extra dask --extra objectstore --extra huaweicloud --extra baidu pyproject.toml --output-file .ci/requirements/image.txt
	echo hatchling | $(COMPILE) - --output-file .ci/requirements/build.txt

# Needs the network: asks which locked versions have known vulnerabilities.
audit: $(STAMP)
	$(BIN)/pip-audit --require-hashes --disable-pip -r $(LOCK)

# What a release consists of: the wheel, and its bill of materials (CycloneDX).
dist: $(STAMP)
	$(BIN)/python -m hatchling build --directory dist
	$(BIN)/python -m cyclonedx_py requirements .ci/requirements/image.txt --output-reproducible --of JSON -o dist/sbom.json

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(STAMP): pyproject.toml $(LOCK)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --require-hashes --requirement $(LOCK)
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@
