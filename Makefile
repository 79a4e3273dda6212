# The commands of this project. `make run` and `make test` set everything up themselves: they need Python 3.11 or newer,
# make and a package index.  Another Python: make run PYTHON=python3.12
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ROOT := $(CURDIR)
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help run test check bench fuzz fuzz-guided clean chromium

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

run: $(VENV)/run.stamp ## Start Otklik with a sample region, on the sandbox; Ctrl+C stops it
	@exec $(BIN)/otklik up --sample

test: $(VENV)/dev.stamp chromium ## Run all tests
	@failed=""; \
	phase() { \
	  name=$$1; shift; began=$$(date +%s); echo "== $$name"; \
	  $(BIN)/python -m pytest -q "$$@" || failed="$$failed $$name"; \
	  echo "== $$name: $$(( $$(date +%s) - began )) s"; \
	}; \
	phase "unit, app, web" -n 2 -m "not flows and not browser" --ignore tests/flows --ignore tests/chaos --ignore tests/browser \
	  --ignore tests/isolation --ignore tests/fuzz --ignore tests/test_wheel.py; \
	phase "isolation" -n 2 -m isolation tests/isolation; \
	phase "flows" -n 2 -m flows tests/flows tests/app/test_up.py; \
	phase "chaos" -m chaos tests/chaos; \
	phase "browser" -m browser tests/browser tests/connectors/sandbox/test_wall.py; \
	phase "fuzz, wheel" -n 2 --dist loadfile -m "fuzz or wheel" tests/fuzz tests/test_wheel.py; \
	if [ -n "$$failed" ]; then echo "FAILED:$$failed"; exit 1; fi; echo "All tests passed."

check: $(VENV)/dev.stamp ## Formatter, linter, types, import contracts, templates, spelling
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/djlint --lint --quiet app/web/ui/templates connectors/sandbox/wall/templates
	$(BIN)/codespell
	$(BIN)/python tools/check_dependencies.py

bench: $(VENV)/dev.stamp ## Measure, as ratios to a floor taken in the same run
	@for script in $$(grep -l __main__ bench/*.py); do echo "== $$script"; $(BIN)/python $$script || exit 1; done

# FUZZ_SECONDS says how long the API is asked; the readers of platforms' answers get fifty times their examples.
FUZZ_SECONDS ?= 600
fuzz: $(VENV)/dev.stamp ## Send made-up requests and platform answers, for some twenty minutes
	$(BIN)/python -m pytest -q -m fuzz tests/fuzz --fuzz-seconds $(FUZZ_SECONDS)
	$(BIN)/python -m pytest -q tests/connectors --hypothesis-profile long --timeout 1800 -m "not flows"

fuzz-guided: $(VENV)/dev.stamp ## Let coverage guide what the readers of platforms' answers are given, FUZZ_SECONDS long (Linux)
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --require-hashes -r requirements-fuzz.lock
	$(BIN)/python tests/fuzz/guided.py -max_total_time=$(FUZZ_SECONDS)

clean: ## Remove the virtual environment and caches (never the data in var)
	rm -rf $(VENV) .mypy_cache .ruff_cache .import_linter_cache .hypothesis dist
	find app connectors migrations tests bench tools -name __pycache__ -type d -prune -exec rm -rf {} +

# One virtual environment; a stamp says which lock file it holds, and is redone when the lock or the project changes.
$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null 2>&1 || { echo "otklik: $(PYTHON) is not installed. Install Python 3.11 or newer, or name it: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "otklik: $$($(PYTHON) --version) is too old: 3.11 or newer is needed. Name a newer one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "Making the virtual environment $(VENV)…"
	@$(PYTHON) -m venv $(VENV) || { echo "otklik: $(PYTHON) cannot make virtual environments. On Debian and Ubuntu: apt-get install python3-venv"; rm -rf $(VENV); exit 1; }

$(VENV)/run.stamp: requirements.lock pyproject.toml | $(VENV)/bin/python
	@[ -f $(VENV)/dev.stamp ] && [ -z "$$(find requirements.lock -newer $(VENV)/dev.stamp)" ] || { \
	  echo "Installing the locked dependencies…"; $(BIN)/python -m pip install --disable-pip-version-check --quiet --require-hashes -r requirements.lock; }
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --editable .
	@touch $@

$(VENV)/dev.stamp: requirements-dev.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing the locked dependencies…"
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --require-hashes -r requirements-dev.lock
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --editable .
	@touch $@

chromium:
	@for name in chromium chromium-browser google-chrome google-chrome-stable; do command -v $$name >/dev/null 2>&1 && exit 0; done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then \
	  echo "Installing Chromium for the browser tests…"; \
	  { apt-get install -y -qq chromium >/dev/null 2>&1 || { apt-get update -qq && apt-get install -y -qq chromium; } >/dev/null; } && exit 0; \
	fi; \
	echo "otklik: the browser tests need Chromium, and none is installed. Install the package chromium (apt-get install chromium, dnf install chromium) and try again."; exit 1
