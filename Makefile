# Everything runs in a local .venv, made on first use: with uv where it is installed, with venv and pip where it is not.
# For development pip brings uv, which does in seconds what takes pip a minute; where uv finds nothing (an index that pip alone is told of), pip does it.
# `constraints.txt` holds the versions that were tested together.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
# Tests start hundreds of processes; each would compile all that it imports again where the environment forbids to keep it.
export PYTHONDONTWRITEBYTECODE :=

VENV := .venv
BIN := $(VENV)/bin
FLOORS := .venv-floors
# One more than the cores of a small machine: a fifth of the time of tests is waiting, for other sides, timeouts and disks.
JOBS ?= 3
# Each process begins with a row of neighbours, so that what a file's tests share is made once; who is done first takes some of the other's.
ACROSS = -n $(JOBS) --dist worksteal

# The first Python of at least 3.11 that starts; `make PYTHON=/path/to/python ...` names one.
RUNS := -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))'
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
  if $$p $(RUNS) >/dev/null 2>&1; then command -v $$p; break; fi; done)
UV := $(shell command -v uv 2>/dev/null)
BIN_UV = $(or $(UV),$(BIN)/uv)

# $(call install,VENV,WHAT): WHAT into VENV.
ifdef UV
install = $(UV) pip install --quiet --python $(1)/bin/python $(2)
create = $(UV) venv --quiet --clear --python $(PYTHON) $(1)
else
install = $(1)/bin/python -m pip install --quiet --disable-pip-version-check $(2)
create = $(PYTHON) -m venv --clear $(1)
endif

.PHONY: help demo demo-iam jaeger test lint format types layers floors fuzz docs check constraints clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

demo: $(VENV)/.examples ## an injected agent, unguarded and guarded
	@$(BIN)/python examples/agents/support/demo.py

demo-iam: $(VENV)/.core ## four months of logs and no agent: who owns what, what is wrong, and why
	@$(BIN)/python examples/log_only/demo.py

jaeger: $(VENV)/.examples ## the demo in a real Jaeger, behind a real Collector; both built with Go where they are not installed
	@$(BIN)/python tools/observability/view.py $(JAEGER_OPTIONS)

test: $(VENV)/.dev ## all tests
	$(BIN)/python -m pytest $(ACROSS)

lint: $(VENV)/.dev ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.dev ## ruff: mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(VENV)/.dev ## mypy, strict
	$(BIN)/mypy

layers: $(VENV)/.dev ## imports go down only
	$(BIN)/lint-imports

RUNS ?= 1000000
fuzz: $(VENV)/.dev ## a million forged tokens, at night; with atheris where it is installed (pip install -e '.[fuzz]')
	$(BIN)/python fuzz/fuzz_jws.py --runs $$(($(RUNS) / 2))
	$(BIN)/python fuzz/fuzz_verifier.py --runs $$(($(RUNS) / 2))

docs: $(VENV)/.dev ## the documentation, in site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

check: lint types layers docs test ## all of the above

floors: $(FLOORS)/.lowest ## the tests, on the lowest versions that pyproject.toml allows
	$(FLOORS)/bin/python -m pytest $(ACROSS) -m "not dev" -W default  # old versions warn of what is not ours

constraints: $(VENV)/.dev ## newest versions into constraints.txt
	$(call install,$(VENV),uv)
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --extra dev --no-annotate \
	  --custom-compile-command 'make constraints' --no-emit-package licet --output-file constraints.txt pyproject.toml

clean: ## remove what was made here
	rm -rf $(VENV) $(FLOORS) .demo build dist site .*_cache .hypothesis
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +

$(VENV)/.made:
	@if [ -z "$(PYTHON)" ]; then \
	  echo "Licet needs Python 3.11 or later (with its venv module), and none was found." >&2; \
	  echo "Install one, or name it: make PYTHON=/path/to/python3" >&2; exit 1; fi
	@echo "making $(VENV) with $(PYTHON)"
	@$(call create,$(VENV))
	@touch $@

$(VENV)/.uv: $(VENV)/.made
	@$(if $(UV),:,$(call install,$(VENV),uv) || echo "without uv: pip does the same, slowly")
	@touch $@

$(VENV)/.core: $(VENV)/.made pyproject.toml constraints.txt
	@echo "setting up $(VENV) (some seconds, once)"
	@$(call install,$(VENV),-c constraints.txt -e .)
	@touch $@

$(VENV)/.examples: $(VENV)/.made pyproject.toml constraints.txt
	@echo "setting up $(VENV) (about half a minute, once)"
	@$(call install,$(VENV),-c constraints.txt -e '.[examples]')
	@touch $@ $(VENV)/.core

$(VENV)/.dev: $(VENV)/.uv pyproject.toml constraints.txt
	@echo "installing Licet and what its development needs (some minutes the first time)"
	@$(BIN_UV) pip install --quiet --python $(BIN)/python -c constraints.txt -e '.[dev]' || $(call install,$(VENV),-c constraints.txt -e '.[dev]')
	@touch $@ $(VENV)/.examples $(VENV)/.core

# Only uv can resolve downwards. The test tools stay at their tested versions.
$(FLOORS)/.lowest: $(VENV)/.uv pyproject.toml constraints.txt
	@echo "installing the lowest versions allowed"
	@$(BIN_UV) venv --quiet --clear --python $(PYTHON) $(FLOORS)
	@$(BIN_UV) pip compile --quiet --python $(FLOORS)/bin/python --resolution lowest-direct --no-header --no-annotate \
	  --extra langchain --extra server --extra fastapi --extra httpx --extra requests --extra mcp --output-file $(FLOORS)/lowest.txt pyproject.toml
	@$(BIN_UV) pip install --quiet --python $(FLOORS)/bin/python -c $(FLOORS)/lowest.txt -e '.[test]'
	@touch $@
