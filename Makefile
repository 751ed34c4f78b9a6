# `make demo` and `make test` do all of their own set-up in .venv.
PYTHON ?= python3
BIN := .venv/bin
MODEL_CACHE := .cache/smollm2
.DEFAULT_GOAL := help
.PHONY: help install demo test check fix real-model dist clean

help: ## what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

.venv/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "selfaware needs Python 3.11 or newer, $(PYTHON) is $$($(PYTHON) --version): set PYTHON=python3.11"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[local,dev]'
	@touch $@

install: .venv/.installed ## create .venv and install everything

demo: .venv/.installed ## the risk experiment on the embedded organism
	$(BIN)/selfaware run experiments/risk.yaml

test: .venv/.installed ## the tests
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

.typecheck: # a link tree, so that type checkers see selfaware.tasks and its like
	rm -rf .typecheck && mkdir -p .typecheck/selfaware
	for p in src/selfaware/*; do ln -s ../../$$p .typecheck/selfaware/; done
	for d in tasks solvers scorers; do ln -s ../../$$d .typecheck/selfaware/$$d; done

check: .venv/.installed ## format, lint, types, Inspect's lint
	rm -rf .typecheck && $(MAKE) .typecheck
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/inspect-evals-lint --all

fix: .venv/.installed ## format, and mend what lint can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

real-model: .venv/.installed ## fetch SmolLM2-135M-Instruct and run the risk experiment on it
	$(BIN)/selfaware fetch-model --out $(MODEL_CACHE)
	$(BIN)/selfaware run experiments/risk_real.yaml

dist: .venv/.installed ## wheel and source distribution in dist/
	rm -rf dist && $(BIN)/python -m build --outdir dist .

clean: ## remove what was made, but not runs/ and logs/
	rm -rf .typecheck build dist report .coverage .pytest_cache .mypy_cache .ruff_cache
