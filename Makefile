.DEFAULT_GOAL := help
.PHONY: help setup spark demo test check bench bench-peers format lock clean

RUN := .venv/bin/python -m
# Behind a company's proxy, its certificate lies in the system's store.
export UV_SYSTEM_CERTS ?= 1
UV := $(shell uv --version >/dev/null 2>&1 && echo uv || echo .make/uv)
# Our own uv keeps any Python that it fetches in this checkout.
ifeq ($(UV),.make/uv)
export UV_PYTHON_INSTALL_DIR ?= $(CURDIR)/.make/python
endif

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' Makefile

setup: .venv/installed  ## Install exactly what requirements.lock names into .venv

spark: .venv/spark  ## Add Spark, as requirements-spark.lock names it (450 MB)

demo: setup  ## Build the demo workspace and serve the console on http://localhost:8501
	@.venv/bin/bigboard demo

test: setup  ## Run the whole test suite
	@$(RUN) pytest --numprocesses=auto --maxprocesses=4 --dist=worksteal $(ARGS)

check: setup  ## Check format, lint, types, layers, dependencies and the size of modules
	$(RUN) ruff format --check .
	$(RUN) ruff check .
	$(RUN) mypy
	.venv/bin/lint-imports
	.venv/bin/deptry .
	@find mlops_core app pages -name '*.py' ! -path 'mlops_core/templates/*' | sort | xargs awk \
	    'FNR == 401 {print FILENAME ": more than 400 lines: split it by subject"; bad = 1} END {exit bad}'

bench: setup  ## Run every benchmark
	@set -e; for file in benchmarks/*.py; do echo "── $$file"; .venv/bin/python "$$file"; done

bench-peers: setup  ## Compare with Evidently, NannyML and others, each in its own environment (3 GB)
	@.venv/bin/python benchmarks/peers/run.py $(ARGS)

format: setup  ## Put the code into its format and mend what ruff can mend
	$(RUN) ruff check --fix .
	$(RUN) ruff format .

COMPILE := .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest \
    --only-binary :all: --generate-hashes --custom-compile-command 'make lock'

lock: setup  ## Write both locks from pyproject.toml (ARGS=--upgrade takes newer releases)
	$(COMPILE) pyproject.toml --extra demo --extra postgres --group dev --output-file requirements.lock $(ARGS)
	.venv/bin/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"] \
	    ["optional-dependencies"]["spark"], "setuptools>=80", sep="\n")' | \
	    $(COMPILE) - --no-binary pyspark --no-annotate --constraint requirements.lock \
	    --output-file requirements-spark.lock $(ARGS)

clean:  ## Remove the environment and the caches, and keep every workspace
	rm -rf .venv .make .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist

# The stamp is written last: without it an interrupted installation starts afresh.
.venv/installed: pyproject.toml requirements.lock | $(filter .make/uv,$(UV))
	@test -e $@ && .venv/bin/python -c '' || rm -rf .venv
	@rm -f $@
	@test -d .venv || $(UV) venv .venv || \
	    { echo 'Bigboard needs Python 3.11, 3.12, 3.13 or 3.14: install one, then try again' >&2; exit 1; }
	$(UV) pip sync --python .venv/bin/python --require-hashes --no-build requirements.lock
	$(UV) pip install --python .venv/bin/python --no-deps --no-build-isolation --editable .
	@touch $@

# PyPI has pyspark as a source archive alone: it, and nothing else, may be built, with the locked setuptools.
.venv/spark: .venv/installed requirements-spark.lock
	$(UV) pip install --python .venv/bin/python --require-hashes --only-binary :all: --no-binary pyspark \
	    --build-constraints requirements-spark.lock --requirement requirements-spark.lock
	@touch $@

# Where uv is missing, pip fetches the locked release for this checkout alone.
.make/uv: | requirements.lock
	@mkdir -p .make && rm -rf .make/pip
	@sed -n '/^uv==/,/^ *#/p' requirements.lock >.make/uv.txt
	@python3 -m venv .make/pip || \
	    { echo 'setting up needs python3 with venv and pip (Debian: apt-get install python3-venv), or uv' >&2; exit 1; }
	.make/pip/bin/pip install --quiet --disable-pip-version-check --require-hashes --requirement .make/uv.txt
	@mv .make/pip/bin/uv $@ && rm -rf .make/pip .make/uv.txt
