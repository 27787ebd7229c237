# Every target sets itself up from make and Python >= 3.10. To use other versions:
#   make test PYTHON=python3.12
#   make test VENV=.venv-3.6 DATASETS=datasets==3.6.0

PYTHON ?= python3
VENV ?= .venv
DATASETS ?= datasets
SCALE ?= 0.25

bin := $(VENV)/bin
# One stamp per set of requirements and datasets version; a changed version clears the others.
tag := $(subst /,_,$(subst $(eval) ,_,$(DATASETS)))
stamp = $(VENV)/.installed-$(1)-$(tag)

.DEFAULT_GOAL := help
.PHONY: help venv demo test check lint bench infos dummy clean

help:
	@echo "make demo    load the synthetic release, show features, counts and one example"
	@echo "make test    run the tests"
	@echo "make check   lint, types and tests: what CI runs"
	@echo "make bench   measure the loader at SCALE=$(SCALE) of the release"
	@echo "make infos   write dataset_infos.json again"
	@echo "make dummy   write the files in dummy_data again"
	@echo "make clean   remove environments, caches and build products"
	@echo "Options: PYTHON=$(PYTHON) VENV=$(VENV) DATASETS=$(DATASETS)"

demo: $(call stamp,use)
	@$(bin)/python -m indomer_tools demo

test: $(call stamp,test)
	$(bin)/python -m pytest

lint: $(call stamp,dev)
	$(bin)/ruff check .
	$(bin)/ruff format --check .
	$(bin)/mypy

check: lint
	$(bin)/python -m pytest

bench: $(call stamp,use)
	@$(bin)/python benchmarks/loader.py --scale $(SCALE)

infos: $(call stamp,use)
	@$(bin)/python -m indomer_tools infos

dummy: $(call stamp,use)
	@$(bin)/python dummy_data/make_dummy_data.py

clean:
	rm -rf .venv .venv-* build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

venv: $(bin)/pip

$(bin)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
		echo "IndoMER needs Python 3.10 or newer, found: $$($(PYTHON) --version 2>&1)."; \
		echo "Name another one, for example: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; } >&2
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "$(PYTHON) -m venv failed. On Debian and Ubuntu: apt install python3-venv"; exit 1; } >&2

define install
	@echo "Installing indomer$(1) with $(DATASETS) into $(VENV)"
	@find $(VENV) -maxdepth 1 -name '.installed-*' ! -name '*-$(tag)' -exec rm -f {} +
	@$(bin)/python -m pip install -qq --disable-pip-version-check --upgrade \
		--config-settings editable_mode=compat -e ".$(1)" "$(DATASETS)"
	@touch "$@"
endef

$(call stamp,use): setup.cfg pyproject.toml | $(bin)/pip
	$(call install,)

$(call stamp,test): setup.cfg pyproject.toml | $(bin)/pip
	$(call install,[test])

$(call stamp,dev): setup.cfg pyproject.toml | $(bin)/pip
	$(call install,[dev])
