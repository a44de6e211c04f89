# `make` alone lists the targets.
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q

help:  ## list the targets
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 14

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'Tranche needs Python 3.11 or newer; name one with: make PYTHON=python3.12 ...'; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo 'Python cannot make virtual environments here. Install them first, on Debian or Ubuntu with: apt-get install python3-venv'; exit 1; }
	$(PYTHON) -m venv .venv

.venv/run.stamp: requirements.lock pyproject.toml | $(BIN)/python
	$(PIP) install --require-hashes -r requirements.lock
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

.venv/dev.stamp: requirements-dev.lock .venv/run.stamp
	$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@

setup: .venv/dev.stamp  ## make the environment .venv from the lock files

demo: .venv/run.stamp  ## plan a real purchase on a fresh SQLite file, then serve it (DEMO_ARGS=--exit ends)
	$(BIN)/tranche demo $(DEMO_ARGS)

serve: .venv/run.stamp  ## serve the API
	$(BIN)/tranche serve

test-numerics: .venv/dev.stamp  ## run the numerical tests at their full size: 1,000 problems per kind, 500 examples per invariant
	NUMERICS=deep $(BIN)/python -m pytest -n auto tests/planner $(TEST_ARGS)

test: .venv/dev.stamp  ## run every fast test (PostgreSQL too where TEST_DATABASE_URL is set)
	$(BIN)/python -m pytest -n auto -m "not slow" $(TEST_ARGS)

check: .venv/dev.stamp  ## format, lint, types, layering, OpenAPI drift, migration drift
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/tranche openapi | diff -u openapi/openapi.json - || \
	  { echo 'openapi/openapi.json is not what the app serves; write it anew: make openapi'; exit 1; }
	$(BIN)/tranche migrate --check

openapi: .venv/run.stamp  ## write openapi/openapi.json
	$(BIN)/tranche openapi > openapi/openapi.json

lock:  ## resolve the dependencies anew (needs uv)
	uv pip compile -q --universal --generate-hashes --no-header --no-annotate --no-emit-index-url --upgrade \
	  --group build pyproject.toml -o requirements.lock
	uv pip compile -q --universal --generate-hashes --no-header --no-annotate --no-emit-index-url --upgrade \
	  --group build --extra dev --extra examples -c requirements.lock pyproject.toml -o requirements-dev.lock

bench-curves: .venv/dev.stamp  ## measure the curve engine, transfer and pooling (BENCH_ARGS, such as --data DIR)
	$(BIN)/python benchmarks/bench_curves.py $(BENCH_ARGS)
	$(BIN)/python benchmarks/bench_transfer.py $(BENCH_ARGS)

bench: bench-curves  ## run every benchmark
	$(BIN)/python benchmarks/bench_service.py

.PHONY: help setup demo serve test test-numerics check openapi lock bench bench-curves
