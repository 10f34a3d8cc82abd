# `make demo` and `make test` work on a fresh machine with Python 3.11 or newer; everything else is for those who change the code.
.PHONY: demo test test-aws test-spark test-deploy test-interop release lint docs bench bench-compare contracts clean setup
.SHELLFLAGS := -euo pipefail -c
SHELL := bash

UV := $(shell command -v uv || echo .uv/bin/uv)
RUN := $(UV) run --locked --quiet
# What these find out does not depend on the version of DuckDB, and takes minutes: they run once.
SAME_ON_ANY_ENGINE := $(addprefix tests/behaviour/,test_kills.py test_faults.py test_readers.py test_erasure_kills.py test_concurrency.py test_durability.py)
# Long searches run without coverage, which makes a run of the product half as long again.
LONG := tests/property $(SAME_ON_ANY_ENGINE)
export UV_COMPILE_BYTECODE := 1
export UV_PYTHON_PREFERENCE := only-system

demo: setup ## Simulated feeds in, a training table out, start to finish
	@$(RUN) bash tools/demo.sh

test: setup lint contracts ## Everything that must hold
	@$(RUN) pytest -n auto --dist worksteal --cov --cov-report=term --durations=20 $(LONG:%=--ignore=%) --ignore=tests/aws --ignore=tests/deploy --ignore=tests/spark --ignore=tests/interop
	@echo "--- long searches: random histories, kills, faults"
	@$(RUN) pytest -n auto --dist worksteal --durations=30 $(LONG)
	@echo "--- the same promises on DuckDB 1.5, and its Iceberg extension reading our tables"
	@UV_PROJECT_ENVIRONMENT=.venv-duckdb1 $(RUN) --no-group duckdb2 --group duckdb1 pytest -n auto --dist worksteal tests/behaviour tests/integration $(SAME_ON_ANY_ENGINE:%=--ignore=%)

test-aws: setup ## What must hold on S3 and Glue: a real S3 server and moto's Glue API, started by the tests
	@UV_PROJECT_ENVIRONMENT=.venv-aws $(RUN) --group aws pytest -n auto --dist worksteal --durations=20 tests/aws
	@echo "--- the same tables on DuckDB 1.5, whose own extension reads S3"
	@UV_PROJECT_ENVIRONMENT=.venv-aws1 $(RUN) --no-group duckdb2 --extra httpfs --group aws pytest -n auto --dist worksteal tests/aws/test_lakehouse.py -k "query or real_feeds"

test-deploy: setup ## The deployment to AWS: synthesized, linted, deployed into moto; Node comes from PyPI
	@UV_PROJECT_ENVIRONMENT=.venv-deploy $(RUN) --group deploy --extra aws pytest -n auto --dist loadfile --durations=10 tests/deploy

release: setup ## What a deployment takes: the wheel, and what it needs, by hash
	@rm -rf dist
	@$(UV) build --quiet --wheel --out-dir dist
	@$(UV) export --frozen --quiet --no-default-groups --no-emit-project --extra aws --extra httpfs --output-file dist/requirements.txt
	@ls dist

test-spark: setup ## What must hold on Spark: everything that is asked of an engine, on both; whole lakehouses, here and on S3
	@UV_PROJECT_ENVIRONMENT=.venv-spark $(RUN) --group spark --group aws bash tools/spark.sh

test-interop: setup ## Spark and Trino read our tables, and run the DDL and the queries of the guides; fetches 0.9 GB once, to ~/.cache/stedi-tests
	@UV_PROJECT_ENVIRONMENT=.venv-interop $(RUN) --group interop --group aws bash tools/interop.sh

lint: setup ## Style, types, layers
	@$(RUN) ruff format --check .
	@$(RUN) ruff check .
	@$(RUN) mypy
	@$(RUN) lint-imports

contracts: setup ## Every contract is a valid ODCS file
	@UV_PROJECT_ENVIRONMENT=.venv-contracts $(RUN) --only-group contracts bash tools/lint_contracts.sh

docs: setup ## Write docs/reference anew from the code
	@$(RUN) python docs/generate.py

bench: setup ## The figures that the README quotes
	@UV_PROJECT_ENVIRONMENT=.venv-bench $(RUN) --no-default-groups --group duckdb2 python -m bench

bench-compare: setup ## `stedi run` beside what one would run instead; needs Java for one of them
	@UV_PROJECT_ENVIRONMENT=.venv-bench-compare $(RUN) --no-default-groups --group duckdb2 --group bench python -m bench.compare --sizes stedi-2023,10000

clean:
	rm -rf .venv .venv-aws .venv-spark .venv-aws1 .venv-deploy .venv-duckdb1 .venv-interop .venv-contracts .venv-bench .venv-bench-compare .uv dist demo bench/out .coverage* .pytest_cache .mypy_cache .ruff_cache .hypothesis

setup: $(UV)

.uv/bin/uv:
	@python3 -m venv .uv || { echo "python3 -m venv is missing: on Debian, apt-get install python3-venv"; exit 1; }
	@.uv/bin/pip install --quiet --disable-pip-version-check 'uv>=0.8'
