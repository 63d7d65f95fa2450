# Everything a reader or a developer does. `make help` lists it.
PYTHON ?= python3
TORCH ?= default
LLM ?=
DATASET ?=
COLUMNS ?=
ITEMS ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
TORCH_INDEX := $(if $(filter cpu,$(TORCH)),--index-url https://download.pytorch.org/whl/cpu)
LAB := $(if $(LLM),lab-llm,lab)

.DEFAULT_GOAL := help
.PHONY: help lab run check test test-data execute data models lint clean

help:  ## list these commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 10

lab: $(VENV)/.ready-$(LAB)  ## open JupyterLab at the first notebook (LLM=1: with what pages 7 to 10 need)
	@$(BIN)/jupyter trust notebooks/*.ipynb > /dev/null  # else scripts in stored outputs do not run
	@$(BIN)/jupyter lab notebooks/00_start_here.ipynb

run: $(VENV)/.ready-run  ## execute all notebooks into build/run/ (DATASET=planted or DATASET=ratings.csv: on other data)
	@$(if $(DATASET),true,$(BIN)/python -m helpers.fetch movielens-100k)
	@$(if $(filter planted,$(DATASET)),true,$(BIN)/python -m helpers.fetch minilm gemma || true)
	@$(BIN)/python -m tools.run $(if $(DATASET),"DATASET=$(DATASET)") $(if $(COLUMNS),"COLUMNS=$(COLUMNS)") $(if $(ITEMS),"ITEMS=$(ITEMS)")

check: $(VENV)/.ready-test  ## what to run before a commit: lint, format, types, rules, unit tests; no kernels
	@$(BIN)/python -m helpers.fetch movielens-100k > /dev/null
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy
	@$(BIN)/python -m pytest tests -m "not kernel and not slow"

test: $(VENV)/.ready-test data  ## prove everything: notebooks against their outputs, exercises, helpers, figures in a browser
	@$(BIN)/python -m pytest

test-data: $(VENV)/.ready-test data  ## prove pages on small, large and odd data (an hour)
	@RECSYS_EXPLAINED_NIGHT=1 $(BIN)/python -m pytest tests/pages -k other_parameters

execute: $(VENV)/.ready-run data  ## execute all notebooks where they lie, to commit their outputs
	@$(BIN)/python -m tools.run --in-place

data: $(VENV)/.ready-run  ## fetch data and language models, and nothing else
	@$(BIN)/python -m helpers.fetch

models: $(VENV)/.ready-run data  ## make the tables and trained models that are missing in data/ (hours for all)
	@$(BIN)/python -m tools.studies

lint: $(VENV)/.ready-test  ## mend what ruff can mend, and format
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .

clean:  ## remove what was built; keeps the environment and the data
	rm -rf build .pytest_cache .ruff_cache .hypothesis .mypy_cache

# An environment with some extras: made when it is missing, and again when pyproject.toml has changed
EXTRAS_lab := lab
EXTRAS_lab-llm := lab,llm
EXTRAS_run := llm,run
EXTRAS_test := lab,llm,run,test
$(VENV)/.ready-%: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Preparing $(VENV) for $*. This happens once."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) --upgrade pip
	@$(PIP) $(TORCH_INDEX) torch==2.13.0
	@$(PIP) --editable '.[$(EXTRAS_$*)]'
	@touch $@
.PRECIOUS: $(VENV)/.ready-%

environment.yml: pyproject.toml $(VENV)/.ready-test
	@$(BIN)/pyproject2conda yaml --name recsys-explained --extra llm --extra lab --extra run --extra test --python-include infer --req '-e .' --no-header --output $@
