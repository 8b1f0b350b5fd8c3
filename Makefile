# Everything works on a machine with Python 3.11 or newer and make. What is installed goes to .venv; stamps keep it from being done twice.

PYTHON  ?= $(shell for p in python3 python3.13 python3.12 python3.11; do $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV    ?= .venv
PY      := $(VENV)/bin/python
BIN     := $(VENV)/bin
MODEL   ?= smollm2
N       ?= 100
FLAGS   ?= -n 2 --dist loadfile
DEMO    ?= $(BIN)/sociarium run govsim --model local:$(MODEL) --set pace=choices --set max_rounds=3 --replicates 3

export PIP_DISABLE_PIP_VERSION_CHECK = 1
export PYRIGHT_PYTHON_IGNORE_WARNINGS = 1

.PHONY: help demo test dev check lint format types layers docs crash faults fuzz limits calibration big-epidemic big-platform big-town bench clean
.DEFAULT_GOAL := help

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10

demo: $(VENV)/.user $(VENV)/.weights-$(MODEL) ## a society on the small local model: no key, no account
	$(DEMO)

test: dev $(VENV)/.weights-$(MODEL) ## all tests
	$(PY) -m pytest $(FLAGS)

dev: $(VENV)/.dev ## install for development

check: lint types layers docs ## style, types, layers, documentation

lint: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check

format: $(VENV)/.dev ## put the source in order
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

types: $(VENV)/.dev
	$(BIN)/pyright --pythonpath $(PY)

layers: $(VENV)/.dev
	$(BIN)/lint-imports

docs: $(VENV)/.dev ## build the documentation into docs/_build/html; a warning is an error
	$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html

crash: $(VENV)/.dev ## kill runs N times and resume them: make crash N=500
	SOCIARIUM_KILLS=$(N) $(PY) -m pytest tests/crash -q

faults: $(VENV)/.dev ## the whole matrix of faults over real HTTP: 14 kinds, 4 rates, 3 scenarios, 200 agents (half an hour)
	PYTHONPATH=src $(PY) tests/faults/matrix.py

fuzz: $(VENV)/.dev ## 100,000 replies of any kind through the model service
	SOCIARIUM_REPLIES=100000 $(PY) -m pytest tests/models/test_reply_fuzz.py -q

limits: $(VENV)/.dev ## budgets, rate limits and slow tails of models, in the release's numbers
	SOCIARIUM_BUDGETS=1000 SOCIARIUM_RATE_LIMITS=50 SOCIARIUM_SLOW_TAILS=10 $(PY) -m pytest tests/models/test_budget.py tests/models/test_limiter.py tests/models/test_slow_tail.py -q

calibration: $(VENV)/.dev ## recover planted parameters at the published sizes (about half an hour)
	SOCIARIUM_CALIBRATION=full $(PY) -m pytest tests/training/calibration -q

big-epidemic: $(VENV)/.dev $(VENV)/.weights-$(MODEL) ## 60 days of 8.4 million people with archetype minds, killed, resumed and compared (AGENTS=100000 for less)
	MODEL=local:$(MODEL)?exact=yes $(PY) -m tests.crash.big_epidemic

big-platform: $(VENV)/.dev $(VENV)/.weights-$(MODEL) ## a million rule users and 20 language users on one platform, killed, resumed, replayed and compared (USERS=2000 for less)
	MODEL=$${SPEC:-local:$(MODEL)?exact=yes} $(PY) -m tests.crash.big_platform

big-town: $(VENV)/.dev $(VENV)/.weights-$(MODEL) ## a day of 25 residents with language minds: forecast, killed, resumed, replayed (HOURS=3 START=7 for less)
	MODEL="local:$(MODEL)?exact=yes&fields=yes" $(PY) -m tests.crash.big_town

bench: $(VENV)/.dev ## every benchmark, one JSON line each
	@for bench in benchmarks/*.py; do $(PY) $$bench || exit 1; done

clean: ## remove what was built and installed (runs/ stays)
	rm -rf $(VENV) build dist docs/_build .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.base:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; say which by: make PYTHON=/path/to/python3"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install -q -U pip
	@touch $@

$(VENV)/.user: pyproject.toml | $(VENV)/.base
	$(PY) -m pip install -q -e '.[local,plot,lab,fast,graph]'
	@touch $@

# Torch first and by itself: a plain file for the processor. Asked for among other packages it may come with gigabytes of CUDA.
$(VENV)/.dev: pyproject.toml | $(VENV)/.base
	$(PY) -m pip install -q torch==2.13.0
	$(PY) -m pip install -q -e '.[dev]'
	@touch $@ $(VENV)/.user

$(VENV)/.weights-%: | $(VENV)/.base
	@test -x $(BIN)/sociarium || $(MAKE) $(VENV)/.user
	$(BIN)/sociarium models pull $*
	@touch $@
