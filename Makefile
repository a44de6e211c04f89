# `make` alone lists the targets.
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q
# One thread a process: there are as many processes as cores already. What is compiled is kept, wherever that is turned
# off: the tests start the service again and again.
PYTEST := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest
PARALLEL := -n auto

help:  ## list the targets
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 14

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'Tranche needs Python 3.11 or newer; name one with: make PYTHON=python3.12 ...'; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo 'Python cannot make virtual environments here. Install them first, on Debian or Ubuntu with: apt-get install python3-venv'; exit 1; }
	$(PYTHON) -m venv .venv

.venv/run.stamp: requirements.lock pyproject.toml client/pyproject.toml | $(BIN)/python
	$(PIP) install --require-hashes -r requirements.lock
	$(PIP) install --no-deps --no-build-isolation -e .
	$(PIP) install --no-deps --no-build-isolation -e ./client
	@touch $@

.venv/dev.stamp: requirements-dev.lock .venv/run.stamp
	$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@

setup: .venv/dev.stamp  ## make the environment .venv from the lock files

demo: .venv/run.stamp  ## plan a purchase on a fresh SQLite file, then serve it (DEMO_ARGS=--exit ends)
	$(BIN)/tranche demo $(DEMO_ARGS)

serve: .venv/run.stamp  ## serve the API
	$(BIN)/tranche serve

test: .venv/dev.stamp  ## run every fast test, in minutes (PostgreSQL too where TEST_DATABASE_URL is set)
	$(PYTEST) $(PARALLEL) -m "not slow" $(TEST_ARGS)

test-numerics: .venv/dev.stamp  ## run the numerical tests at their full size: 1,000 problems per kind, 500 examples per invariant
	NUMERICS=deep $(PYTEST) $(PARALLEL) tests/planner tests/benchmarks $(TEST_ARGS)

test-label-studio: .venv/dev.stamp .label-studio/env.stamp  ## drive a round's life with a real Label Studio (installs 1 GB)
	LABEL_STUDIO_ENV=$(CURDIR)/.label-studio/env LABEL_STUDIO_CACHE=$(CURDIR)/.label-studio/migrated \
	  $(PYTEST) -n 0 -m slow tests/e2e/test_label_studio.py $(TEST_ARGS)

.label-studio/env.stamp:
	$(PYTHON) -m venv .label-studio/env
	.label-studio/env/bin/python -m pip --disable-pip-version-check -q install label-studio==1.23.2
	@touch $@

test-postgresql: .venv/dev.stamp  ## plans, exports and pages on PostgreSQL too (needs TEST_DATABASE_URL; TEST_BROWSER for pages)
	$(PYTEST) $(PARALLEL) -m slow tests/api/exports tests/api/planning tests/local tests/web $(TEST_ARGS)

test-chaos: .venv/dev.stamp  ## kill the API, workers and commands 50 times while they work (minutes; CHAOS_KILLS, CHAOS_SEED)
	$(PYTEST) -n 0 -s -m slow tests/chaos $(TEST_ARGS)

test-hosts: .venv/dev.stamp  ## cut the link between two hosts while they work (minutes; needs Linux, root, iproute2 and PostgreSQL)
	$(PYTEST) -n 0 -s -rs -m slow tests/hosts $(TEST_ARGS)

test-fuzz: .venv/dev.stamp  ## send mutated requests to every operation and page (an hour; FUZZ_REQUESTS, FUZZ_SEED)
	$(PYTEST) $(PARALLEL) -m slow tests/fuzz $(TEST_ARGS)

test-all: test test-numerics test-postgresql test-chaos test-hosts test-fuzz test-label-studio  ## run every test there is, in hours

check: lint types drift  ## format, lint, layering, types, OpenAPI drift, migration drift; names old benchmark results

lint: .venv/dev.stamp
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports

types: .venv/dev.stamp
	$(BIN)/mypy
	$(BIN)/mypy --python-version 3.10 -p tranche

drift: .venv/dev.stamp
	$(BIN)/tranche openapi | diff -u openapi/openapi.json - || \
	  { echo 'openapi/openapi.json is not what the app serves; write it anew: make openapi'; exit 1; }
	$(BIN)/tranche migrate --check
	$(BIN)/python benchmarks/stale.py

openapi: .venv/run.stamp  ## write openapi/openapi.json
	$(BIN)/tranche openapi > openapi/openapi.json

rights: .venv/run.stamp  ## write the table of rights into docs/operations.md
	{ sed '/^<!-- rights -->$$/q' docs/operations.md; $(BIN)/tranche rights; sed -n '/^<!-- end of rights -->$$/,$$p' docs/operations.md; } > .rights.md
	mv .rights.md docs/operations.md

check-clients: .generators/env.stamp  ## make a Python and a TypeScript client from openapi/openapi.json
	.generators/env/bin/python openapi/check_clients.py

.generators/env.stamp: $(wildcard openapi/generators/*)
	@command -v npm >/dev/null || { echo 'The TypeScript client needs Node.js and npm'; exit 1; }
	$(PYTHON) -m venv .generators/env
	.generators/env/bin/python -m pip --disable-pip-version-check -q install -r openapi/generators/requirements.txt
	cp openapi/generators/package.json openapi/generators/package-lock.json .generators/
	npm ci --prefix .generators --no-audit --no-fund --silent
	@touch $@

wheels: .venv/dev.stamp  ## build the wheels of the server and of its client into dist/
	$(PIP) wheel --no-deps --no-build-isolation -w dist . ./client

lock:  ## resolve the dependencies anew (needs uv)
	uv pip compile -q --universal --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-package tranche-client --upgrade \
	  --group build pyproject.toml -o requirements.lock
	uv pip compile -q --universal --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-package tranche-client --upgrade \
	  --group build --extra dev --extra evidence --extra examples --extra telemetry -c requirements.lock pyproject.toml -o requirements-dev.lock

bench-curves: .venv/dev.stamp  ## measure the curve engine, transfer and pooling (BENCH_ARGS, such as --data DIR)
	$(BIN)/python benchmarks/bench_curves.py $(BENCH_ARGS)
	$(BIN)/python benchmarks/bench_transfer.py $(BENCH_ARGS)

bench-allocation: .venv/dev.stamp  ## time the allocation beside CVXPY + Clarabel (BENCH_ARGS, such as --largest 10000)
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 RAYON_NUM_THREADS=1 $(BIN)/python benchmarks/allocation.py $(BENCH_ARGS)

bench-dashboard: .venv/dev.stamp  ## time the first paint of the plan page (needs TEST_BROWSER; BENCH_ARGS)
	$(BIN)/python benchmarks/bench_dashboard.py $(BENCH_ARGS)

bench-simulations: .venv/dev.stamp  ## time a simulation of 200 games in two processes
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python benchmarks/bench_simulations.py $(BENCH_ARGS)

bench-prs: .venv/dev.stamp  ## play the collection game on simulated genomes (BENCH_ARGS, such as --scenario skewed --genomes 6 --seed 1)
	$(BIN)/python benchmarks/bench_prs.py $(BENCH_ARGS)

bench-replay: .venv/dev.stamp  ## play the collection game on census and NHANES people (BENCH_ARGS, such as --data DIR)
	$(BIN)/python benchmarks/bench_replay.py $(BENCH_ARGS)

bench-loops: .venv/dev.stamp  ## play whole loops on real tasks (BENCH_ARGS, such as --packages DIR --data DIR --against CHECKOUT)
	$(BIN)/python benchmarks/bench_loops.py $(BENCH_ARGS)

bench-joint: .venv/dev.stamp  ## play one model on many groups (BENCH_ARGS, such as 'families --seeds 16')
	$(BIN)/python benchmarks/bench_joint.py $(BENCH_ARGS)

bench-shapes: .venv/dev.stamp  ## plan on curves of odd shapes and odd data (BENCH_ARGS, such as --against CHECKOUT)
	$(BIN)/python benchmarks/bench_shapes.py $(BENCH_ARGS)

bench-truth: .venv/dev.stamp  ## hold what is said against real learning curves (BENCH_ARGS, such as --data DIR --against CHECKOUT)
	$(BIN)/python benchmarks/bench_truth.py $(BENCH_ARGS)

bench-regret: .venv/dev.stamp  ## buy round by round against the best purchase in hindsight (BENCH_ARGS, such as --games 8)
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python benchmarks/bench_regret.py $(BENCH_ARGS)

bench-hindsight: .venv/dev.stamp  ## whether what hindsight says comes true (BENCH_ARGS, such as --campaigns 100 --data DIR)
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python benchmarks/bench_hindsight.py $(BENCH_ARGS)

bench-growth: .venv/dev.stamp  ## what the service's work costs as a project grows (BENCH_ARGS, such as --against CHECKOUT)
	$(BIN)/python benchmarks/bench_growth.py $(BENCH_ARGS)

bench-neighbours: .venv/dev.stamp  ## what one workspace feels of another's dearest questions (BENCH_ARGS, such as --against CHECKOUT)
	$(BIN)/python benchmarks/bench_neighbours.py $(BENCH_ARGS)

bench-peers: .venv/dev.stamp .peers/env.stamp  ## post runs beside MLflow's tracking server (installs 1 GB; BENCH_ARGS)
	$(BIN)/python benchmarks/bench_peers.py $(BENCH_ARGS)

.peers/env.stamp:
	$(PYTHON) -m venv .peers/env
	.peers/env/bin/python -m pip --disable-pip-version-check -q install mlflow==3.17.2 psycopg2-binary==2.9.13
	@touch $@

bench: bench-curves bench-allocation bench-prs bench-replay  ## run every benchmark
	$(BIN)/python benchmarks/bench_inbox.py
	$(BIN)/python benchmarks/bench_growth.py
	$(BIN)/python benchmarks/bench_jobs.py
	$(BIN)/python benchmarks/bench_receivers.py
	$(BIN)/python benchmarks/bench_surrogate.py
	$(BIN)/python benchmarks/bench_surrogate.py --levels

.PHONY: help setup demo serve test test-all test-postgresql test-chaos test-fuzz test-hosts test-label-studio test-numerics \
  check check-clients drift lint types openapi rights lock wheels \
  bench bench-allocation bench-curves bench-dashboard bench-growth bench-hindsight bench-joint bench-loops bench-neighbours bench-peers bench-prs bench-regret bench-replay bench-shapes \
  bench-simulations bench-truth
