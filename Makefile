# make demo   the main job end to end on this machine     make test   everything that CI runs
# make check  format, lint, types, layers                 make bench  figures, each beside its peer
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --quiet --disable-pip-version-check

.PHONY: help demo test check types layers style bench lock clean

help:
	@sed -n '1,2p' Makefile

demo: $(VENV)/.runtime
	tools/packages.sh engine image
	tools/demo.sh

test: $(VENV)/.dev
	tools/packages.sh engine test
	tools/clients.sh .cache/clients
	$(MAKE) --no-print-directory check
	$(BIN)/pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

check: $(VENV)/.dev
	@$(MAKE) --no-print-directory --jobs types layers style

types:
	$(BIN)/mypy

layers:
	$(BIN)/lint-imports

style:
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

bench: $(VENV)/.dev
	tools/packages.sh engine test bench
	tools/bench.sh

# Locks name versions and hashes, never a place to fetch them from.
lock: $(VENV)/.dev
	$(PIP) install uv
	for set in runtime dev; do \
	  $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header \
	    --all-extras \
	    --group $$( [ $$set = dev ] && echo dev || echo build ) \
	    --output-file requirements/$$set.lock pyproject.toml || exit 1; \
	done

clean:
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/.runtime: requirements/runtime.lock pyproject.toml
	tools/packages.sh python
	$(call install,runtime)

$(VENV)/.dev: requirements/dev.lock pyproject.toml
	tools/packages.sh python
	$(call install,dev)
	@touch $(VENV)/.runtime

define install
	[ -x $(BIN)/pip ] || $(PYTHON) -m venv $(VENV)
	$(PIP) install --require-hashes -r requirements/$(1).lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@
endef
