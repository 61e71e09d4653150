# Two commands matter: `make report` and `make test`. Both set up what they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CASE ?= data/cases/everything
WORKERS ?= 2
# What `make coverage`, `make lowest` and `make newest` test, and how: PYTEST_ARGS="tests/checks -n 2".
PYTEST_ARGS ?= -n $(WORKERS) --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help setup report test campaigns check format lab lock cases regenerate docs \
  audit coverage lowest newest

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sort | sed -E 's/:.*## /\t/' | expand -t 12

# The environment is made anew whenever the lock or the project changes.
$(VENV)/.ready: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Investigate needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12 $(MAKECMDGOALS)")'
	@echo "Setting up $(VENV) from requirements.lock: some minutes, once."
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

# The emulator that tests/live starts has its own environment, because it pins its own botocore.
$(VENV)/ministack/.ready: tests/live/ministack.lock $(VENV)/.ready
	$(PYTHON) -m venv --clear $(VENV)/ministack
	$(VENV)/ministack/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	touch $@

# Spark comes as a source of 430 MB, so that only the tests that compare it with DuckDB wait for it.
$(VENV)/.spark: requirements-spark.lock $(VENV)/.ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $<
	touch $@

# pip-audit brings thirty packages that nothing else needs.
$(VENV)/audit/.ready: requirements-audit.lock $(VENV)/.ready
	$(PYTHON) -m venv --clear $(VENV)/audit
	$(VENV)/audit/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	touch $@

# The oldest direct dependencies that the bounds of pyproject.toml allow, and the newest of everything.
# What they depend on is of today in both, so these environments are resolved anew each time.
$(VENV)/lowest/.ready: RESOLUTION := lowest-direct
$(VENV)/newest/.ready: RESOLUTION := highest
$(VENV)/lowest/.ready $(VENV)/newest/.ready: $(VENV)/.ready FORCE
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(@D)
	$(BIN)/uv pip compile --quiet --python $(@D)/bin/python --resolution $(RESOLUTION) --extra sandbox --extra dev \
	  --no-emit-index-url --no-header --no-annotate pyproject.toml -o $(@D)/requirements.txt
	$(BIN)/uv pip install --quiet --python $(@D)/bin/python -r $(@D)/requirements.txt
	$(BIN)/uv pip install --quiet --python $(@D)/bin/python --no-deps --no-build-isolation -e .
	touch $@

FORCE:

setup: $(VENV)/.ready ## create .venv from requirements.lock

report: setup ## the report of the demo case, or of CASE=..., into reports/
	@# Exit code 1 says that faults were found, which is the point of the demo.
	@$(BIN)/investigate report $(CASE) --out reports || [ $$? -eq 1 ]

test: setup $(VENV)/ministack/.ready $(VENV)/.spark ## the tests; with EVERY_TEST=1 also those that take minutes each, as CI does
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

campaigns: export EACH_CASE_ON_SPARK := 1
campaigns: export EACH_FAILURE := 1
campaigns: export EACH_FAULT_ALONE := 1
campaigns: export EACH_KILL := 1
campaigns: export EACH_NOTEBOOK_BY_NBVAL := 1
campaigns: export EACH_SCOPE := 1
campaigns: export EVERY_TEST := 1
campaigns: test ## every test, with the variants that `make test` leaves out

coverage: export EVERY_TEST := 1
coverage: setup $(VENV)/ministack/.ready $(VENV)/.spark ## lines and branches that every test together reaches; PYTEST_ARGS chooses
	$(BIN)/python -m coverage erase
	$(BIN)/python -m coverage run -m pytest $(PYTEST_ARGS)
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report

lowest: $(VENV)/lowest/.ready ## the tests with the oldest dependencies that the bounds allow; PYTEST_ARGS chooses
	$(VENV)/lowest/bin/python -m pytest $(PYTEST_ARGS)

newest: $(VENV)/newest/.ready ## the tests with the newest dependencies that the bounds allow; PYTEST_ARGS chooses
	$(VENV)/newest/bin/python -m pytest $(PYTEST_ARGS)

audit: $(VENV)/audit/.ready ## whether a locked package is known to be vulnerable; 3 if nobody can tell
	$(VENV)/audit/bin/python .ci/audit.py requirements.lock requirements-spark.lock requirements-audit.lock

check: setup ## format, lint and types, as CI runs them
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: setup ## put every file into the house format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lab: setup ## JupyterLab with the notebooks
	$(BIN)/jupyter lab --notebook-dir=. notebooks/00_overview.ipynb

regenerate: setup ## the outputs of the committed notebooks anew, from their demo case
	$(BIN)/investigate regenerate

docs: setup ## the pages of docs/ anew, as far as they come from the code
	$(BIN)/python -m tests.pages

cases: setup ## make the demo cases again, byte for byte
	$(BIN)/investigate sandbox demo

lock: setup ## resolve the dependencies anew into the lock files
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --extra sandbox --extra dev --generate-hashes \
	  --no-emit-index-url --no-header --no-annotate --upgrade pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-header --no-annotate --upgrade tests/live/ministack.in -o tests/live/ministack.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes -c requirements.lock \
	  --no-emit-index-url --no-header --no-annotate --upgrade requirements-spark.in -o requirements-spark.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-header --no-annotate --upgrade requirements-audit.in -o requirements-audit.lock
