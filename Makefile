# Everything a reader or a developer does. `make help` lists it.
PYTHON ?= python3
TORCH ?= default
DATASET ?=
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
TORCH_INDEX := $(if $(filter cpu,$(TORCH)),--index-url https://download.pytorch.org/whl/cpu)

.DEFAULT_GOAL := help
.PHONY: help run lab test execute data models lint clean

help:  ## list these commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 10

run: $(READY)  ## install, fetch, execute all notebooks into build/run/ (DATASET=planted needs no network data)
	$(if $(filter planted,$(DATASET)),,@$(BIN)/python -m helpers.course.sources && $(BIN)/python -m helpers.course.pretrained)
	@$(BIN)/python -m helpers.course.run $(if $(DATASET),DATASET=$(DATASET))

lab: $(READY)  ## open JupyterLab at the first notebook
	@$(BIN)/jupyter trust notebooks/*.ipynb > /dev/null  # else scripts in stored outputs do not run
	@$(BIN)/jupyter lab notebooks/00_start_here.ipynb

test: data  ## prove everything: notebooks against their outputs, exercises, helpers, figures in a browser
	@$(BIN)/python -m pytest

execute: data  ## execute all notebooks where they lie, to commit their outputs
	@$(BIN)/python -m helpers.course.run --in-place

data: $(READY)  ## fetch data and models, and nothing else
	@$(BIN)/python -m helpers.course.sources && $(BIN)/python -m helpers.course.pretrained

models: data  ## make the tables and models that are missing in data/models/ (an hour for all)
	@$(BIN)/python -m helpers.course.references

lint: $(READY)  ## check and format code and notebooks
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

clean:  ## remove what was built; keeps the environment and the data
	rm -rf build .pytest_cache .ruff_cache .hypothesis

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Preparing $(VENV): about 2 GB with the CPU build of PyTorch, 6 GB with the GPU build. This happens once."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) --upgrade pip
	@$(PIP) $(TORCH_INDEX) torch==2.13.0
	@$(PIP) --editable '.[test]'
	@touch $(READY)

environment.yml: pyproject.toml $(READY)
	@$(BIN)/pyproject2conda yaml --name recsys-explained --extra test --python-include infer --req '-e .' --no-header --output $@
