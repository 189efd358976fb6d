# `make help` prints the lines with two hash marks. Needs make and Python 3.11 or newer; everything else goes into .venv.

PYTHON ?= python3
PORT ?= 8866
AS_OF := 2025-12-31
BIN := .venv/bin
PIP := $(BIN)/pip install --quiet --require-hashes --no-build-isolation
UV := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header
CODE := $(shell find crmlab -name '*.py' -o -name '*.toml')
BANK_CODE := $(filter-out crmlab/views/% crmlab/cli.py, $(CODE))
PYTEST := CRMLAB_BROWSER="$$(cat .venv/.browser)" $(BIN)/pytest

# Without bytecode every kernel would compile all of its imports again.
unexport PYTHONDONTWRITEBYTECODE
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DELETE_ON_ERROR:
.PHONY: help demo test test-code test-notebooks test-pages test-all lab bench lint lock clean

help: ## print this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/make \1	\2/p' Makefile | expand -t 22

demo: data/mart/CURRENT ## simulate a bank, build its mart and serve the pages on http://127.0.0.1:8866 (PORT=...)
	$(BIN)/crmlab dash --mart data/mart --port $(PORT)

test: lint test-code test-notebooks test-pages ## all that must pass: lint, code, notebooks and pages

test-code: .venv/.test .venv/.browser ## unit tests, properties, doctests and layers
	$(PYTEST) --numprocesses 2 --dist loadfile

test-notebooks: .venv/.test .venv/.browser data/mart/CURRENT ## run every notebook
	CRMLAB_MART=$(CURDIR)/data/mart $(PYTEST) -p nbval.plugin --nbval-lax --nbval-current-env notebooks

test-pages: .venv/.test .venv/.browser ## pages in a real browser
	$(PYTEST) -m browser

test-all: test ## the same, and the slow proofs
	$(PYTEST) -m slow

lab: data/mart/CURRENT ## JupyterLab on notebooks/
	$(BIN)/crmlab lab --mart data/mart

bench: .venv/.test .venv/.browser ## side-by-side timings, written to benchmarks/README.md
	CRMLAB_BROWSER="$$(cat .venv/.browser)" $(BIN)/python -m benchmarks

lint: .venv/.test ## ruff: rules and format
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --quiet --check .

lock: .venv/.python ## write the lock files anew from pyproject.toml, keeping versions that still fit
	$(BIN)/pip install --quiet uv
	$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' | $(UV) - -o requirements-build.lock
	$(UV) pyproject.toml -o requirements.lock
	$(UV) pyproject.toml --extra test --extra bench -c requirements.lock -o requirements-test.lock

clean: ## remove .venv, the sample bank, its mart and all caches
	rm -rf .venv .crmlab data/sample data/mart benchmarks/tmp build *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

# What follows makes the files that the targets above stand on; a stamp is touched when its step has succeeded.

.venv/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "crmlab needs Python 3.11 or newer. Name one: make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	@touch $@

.venv/.run: requirements-build.lock requirements.lock pyproject.toml | .venv/.python
	@echo "Installing the pinned packages, about a minute ..."
	@$(PIP) -r requirements-build.lock
	@$(PIP) -r requirements.lock
	@$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@$(BIN)/jupyter labextension disable --level=sys_prefix @jupyterlab/apputils-extension:announcements 2> .venv/labextension.log
	@touch $@

.venv/.bytecode: .venv/.run $(CODE)
	@$(BIN)/python -m compileall -q crmlab
	@touch $@

.venv/.test: requirements-test.lock .venv/.bytecode
	@$(PIP) -r requirements-test.lock
	@touch $@

.venv/.browser: .ci/browser | .venv/.test
	@.ci/browser > $@

data/sample/.stamp: .venv/.bytecode $(wildcard crmlab/simulate/*.py)
	@rm -rf data/sample
	$(BIN)/crmlab simulate data/sample
	@touch $@

data/mart/CURRENT: data/sample/.stamp $(BANK_CODE)
	$(BIN)/crmlab build data/sample --as-of $(AS_OF) --mart data/mart
	@touch $@
