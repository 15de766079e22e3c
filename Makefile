# One Makefile for people and CI:
#   make demo    install into .venv and run a small audit of generated people, offline
#   make test    the tests            make check   format, lint, types
#   make bench   the benchmarks       make clean   remove everything but runs/
#
# Variables: PYTHON (3.11 or newer), VENV, JOBS (test processes), PYTEST_ARGS,
# TORCH_INDEX (address of a package index with CPU builds of torch; asked besides the usual one).

SHELL := /bin/bash
PYTHON ?= python3
VENV ?= .venv
JOBS ?= 2
PYTEST_ARGS ?=
TORCH_INDEX ?=
DEMO_OUT ?= runs/demo

BIN := $(VENV)/bin
REQUIREMENTS := pyproject.toml requirements/constraints.txt requirements/no-deps.txt
INSTALL = $(BIN)/python -m pip install --disable-pip-version-check --quiet \
	$(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) -c requirements/constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo install test check bench clean

help:
	@sed -n 's/^# \{0,1\}//p;/^$$/q' Makefile

demo: $(VENV)/.installed
	$(BIN)/faceleak demo --out $(DEMO_OUT)
	@echo "Open $(abspath $(DEMO_OUT))/report.html in a browser."

install: $(VENV)/.installed

# In the order of the folders: whole runs (tests/audit) come early. By itself the plugin begins with
# files of many tests, so that the longest would come last, on one core.
test: $(VENV)/.installed-test
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

check: $(VENV)/.installed-test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(VENV)/.installed-test
	@set -e; for script in benchmarks/[!_]*.py; do echo "== $$script"; $(BIN)/python $$script; done

clean:
	rm -rf $(VENV) build dist *.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps make a second run install nothing. Editable, so that a changed source file needs no
# new installation; the wheel's contents have a test of their own.
$(VENV)/.installed: $(REQUIREMENTS) | $(BIN)/python
	@echo "Installing faceleak into $(VENV) (about 1 GB; some minutes the first time) ..."
	$(INSTALL) -e .
	$(INSTALL) --no-deps -r requirements/no-deps.txt
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(INSTALL) -e '.[test]'
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "faceleak needs Python 3.11 or newer; name one with make PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
