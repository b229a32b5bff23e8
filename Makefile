# Everything a contributor or CI runs. `make setup` is the only step that needs a network.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
DEMO ?= demo
STAMP := $(VENV)/.installed

.PHONY: setup demo test lint types imports unit schemas ci clean

setup: $(STAMP)

# torch goes first and alone, so that no other package pulls a newer one. A CPU build is taken where pip is offered one
# (PIP_EXTRA_INDEX_URL or PIP_FIND_LINKS can name a place that has it); otherwise the registry's CUDA build is installed.
$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	@echo "installing into $(VENV): some minutes, 2.6 GB, more with torch's CUDA build"
	$(BIN)/pip install --quiet --constraint constraints.txt torch
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: setup
	$(BIN)/python -m jobs.demo --output $(DEMO)

test: setup lint unit

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: setup
	$(BIN)/pytest

# JSON Schemas for readers that do not speak Python; a test fails when they are out of date.
schemas: setup
	$(BIN)/python -m schemas
	$(BIN)/python -m pipeline.config_schema

ci: test demo

clean:
	rm -rf $(DEMO) out .pytest_cache .mypy_cache .ruff_cache
