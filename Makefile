# `make` lists the targets. Everything is installed into .venv, and again only when the lock has changed.

PYTHON ?= python3
PIP_ARGS ?=
PYTEST_ARGS ?=
DATA ?=
OUT ?= demo-out

VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed
# A .venv whose Python is gone (an upgrade, a moved folder) counts as not installed.
USABLE := $(shell $(PY) -c "" 2>/dev/null && echo yes)

.DEFAULT_GOAL := help
.PHONY: help install demo test test-all assignment check-assignment bench clean distclean unusable

help:  ## this list
	@echo "Usage: make TARGET"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 16
	@echo "Options: PYTHON=python3.12 (another Python), PIP_ARGS=... (to pip), PYTEST_ARGS=... (to pytest)"

demo: $(STAMP)  ## see VICReg learn and three submissions graded; DATA=file.npz for your images, OUT=folder
	@$(PY) -m demo $(if $(DATA),--data "$(DATA)") --out "$(OUT)"

test: $(STAMP)  ## the fast tests
	@$(PY) -m pytest -q -n 2 --no-loadscope-reorder -m "not slow" $(PYTEST_ARGS)

test-all: $(STAMP)  ## all tests, the slow ones too
	@$(PY) -m pytest -q -n 2 --no-loadscope-reorder $(PYTEST_ARGS)

assignment: $(STAMP)  ## after a change in solutions/ or the rubric: make stubs, notebooks and handout again
	@$(PY) -m release stubs
	@$(PY) -m release notebooks
	@$(PY) -m release handout

check-assignment: $(STAMP)  ## only say whether assignment/ fits solutions/ and the rubric
	@$(PY) -m release stubs --check
	@$(PY) -m release notebooks --check
	@$(PY) -m release handout --check

bench: $(STAMP)  ## the speed of grading and of the augmentations
	@$(PY) -m benchmarks.grading
	@$(PY) -m benchmarks.augmentation

install: $(STAMP)  ## only make .venv
	@echo "Installed. To use it in this shell: . $(VENV)/bin/activate"

clean:  ## remove outputs and caches, keep .venv
	@rm -rf demo-out graded build .pytest_cache .hypothesis *.egg-info
	@find . -name __pycache__ -not -path "./$(VENV)/*" -prune -exec rm -rf {} +

distclean: clean  ## remove .venv, too
	@rm -rf $(VENV)

$(STAMP): constraints.txt pyproject.toml $(if $(USABLE),,unusable)
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" 2>/dev/null || { \
	  found=$$($(PYTHON) --version 2>/dev/null) || found="not there"; \
	  echo "Python 3.11 or newer is needed, and '$(PYTHON)' is $$found: name one with 'make PYTHON=python3.12 $(MAKECMDGOALS)'." >&2; \
	  exit 1; }
	@$(PY) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@echo "Installing the pinned packages into $(VENV) (PyTorch is large; this is done once) ..."
	@$(PY) -m pip install --disable-pip-version-check $(PIP_ARGS) -r constraints.txt
	@touch $(STAMP)
