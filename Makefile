# The doors of the project: `make help` lists them. Each target does all its own set-up.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
# What the notebooks and the tests need beside the toolkit itself.
EXTRAS := toolkit,archive,service,postgres,otel,notebooks,dev
# Spark is half a gigabyte, and only tests and benchmarks have a use for it.
ALL    := $(VENV)/.all

.DEFAULT_GOAL := help
.PHONY: help setup demo up lab test check format notebooks bench soak fidelity conformance constraints clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(READY): pyproject.toml constraints.txt scripts/setup.sh
	@sh scripts/setup.sh "$(PYTHON)" "$(VENV)" "$(EXTRAS)"
	@touch $@

$(ALL): $(READY)
	@sh scripts/setup.sh "$(PYTHON)" "$(VENV)" "$(EXTRAS),spark"
	@touch $@

setup: $(READY) ## only set up: the environment in .venv

demo: $(READY) ## the main job once: a faulty workload through the whole path, then the tables and report.html
	@$(BIN)/qsops demo

up: $(READY) ## keep engine, service and JupyterLab running; Ctrl-C stops all
	@$(BIN)/qsops up

lab: $(READY) ## JupyterLab on the notebooks, with the embedded stack up
	@$(BIN)/qsops up --lab

test: $(ALL) ## everything: unit, service, pipeline, notebooks under strict nbval
	@sh scripts/test.sh $(BIN)

check: $(ALL) ## lint, types and layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(READY) ## put the code into its form
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

notebooks: $(READY) ## run and rewrite the notebooks, and show the difference
	@$(BIN)/python scripts/notebooks.py
	@git --no-pager diff --stat -- notebooks

bench: $(ALL) ## the benchmark table: ratios against what people use instead, in one run
	@$(BIN)/python -m bench

soak: $(ALL) ## the long tests: a thousand kill points, more of the simulation and the fuzzing, an hour under load
	@sh scripts/soak.sh $(BIN)

fidelity: $(ALL) ## run the tests that hold docs/fidelity.md, and write it
	@$(BIN)/python -m scripts.fidelity

conformance: $(ALL) ## the part of the suite that is safe there, against a real account (at most 100 messages)
	@sh tests/conformance/js/install.sh
	@$(BIN)/python scripts/conformance.py

constraints: $(READY) ## resolve the constraints anew (a deliberate update of the dependencies)
	@$(BIN)/uv pip compile pyproject.toml --all-extras --universal --upgrade --quiet \
	  --no-emit-index-url --no-emit-find-links --no-header --no-annotate -o constraints.txt

clean: ## remove the environment and all that was made
	rm -rf .venv* .qsops runs build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
