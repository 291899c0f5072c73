# make demo   the main job end to end on this machine     make test   everything CI runs
# make check  format, lint, types, layers                 make bench  figures, each beside its peer
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test check bench lock clean

demo: install
	tools/demo.sh

test: install-dev
	$(BIN)/python tools/run_tests.py

check: $(VENV)/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: install install-dev
install: $(VENV)/runtime
install-dev: $(VENV)/dev

$(VENV)/dev: pyproject.toml requirements/dev.lock
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@
