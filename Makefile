# Every target sets itself up from make and Python >= 3.10. To use other versions:
#   make test PYTHON=python3.12
#   make test VENV=.venv-3.6 DATASETS=datasets==3.6.0
# The targets of tests pass further arguments on to pytest:
#   make test ARGS="-k join"

PYTHON ?= python3
VENV ?= .venv
DATASETS ?= datasets
SCALE ?= 0.25

bin := $(VENV)/bin
# One stamp per set of requirements and datasets version; a changed version clears the others.
tag := $(subst /,_,$(subst $(eval) ,_,$(DATASETS)))
stamp = $(VENV)/.installed-$(1)-$(tag)

.DEFAULT_GOAL := help
.PHONY: help venv demo test test-fast test-slow test-lowest test-engines check lint docs bench bench-full infos dummy clean

help:
	@echo "make demo    load the synthetic release, show features, counts and one example"
	@echo "make test    run the tests but for the slow ones; some minutes"
	@echo "make test-fast   those that need no other process, in less than a minute"
	@echo "make test-slow   those that make test leaves out"
	@echo "make check   lint, types and all tests: what CI runs"
	@echo "make docs    build the guide and the API reference into build/docs"
	@echo "make bench   measure the loader and its peers at SCALE=$(SCALE); bench-full at 1"
	@echo "make infos   write dataset_infos.json again"
	@echo "make dummy   write the files in dummy_data again"
	@echo "make clean   remove environments, caches and build products"
	@echo "Options: PYTHON=$(PYTHON) VENV=$(VENV) DATASETS=$(DATASETS)"

demo: $(call stamp,use)
	@$(bin)/python -m indomer_tools demo

# Processes side by side, as many as there are cores, yet no more than memory allows. Each begins
# with a share of its own, in order, so that what a file prepares is prepared once; the first that
# is done takes over from the others.
pytest := $(bin)/python -m pytest
side_by_side := -n logical --maxprocesses 4 --dist worksteal

test: $(call stamp,test)
	$(pytest) $(side_by_side) -m "not slow" $(ARGS)

# Without servers, kills, workers, browsers, benchmarks, examples and README, and without pickles
# that are damaged at every byte or hold thousands of clips.
test-fast: $(call stamp,test)
	$(pytest) $(side_by_side) -m "not slow and not long" \
		--ignore tests/docs --ignore tests/test_readme.py $(ARGS)

# File by file: two of them at the same time, but no two processes with the same gigabytes.
test-slow: $(call stamp,test)
	$(pytest) -n logical --maxprocesses 2 --dist loadfile -m slow $(ARGS)

# The oldest versions that setup.cfg allows, of which there are wheels for Python 3.10 and 3.11.
test-lowest:
	@$(MAKE) --no-print-directory venv VENV=.venv-lowest
	@sed -n '/^install_requires/,/^$$/s/ *\([a-z_]*\)>=/\1==/p' setup.cfg >.venv-lowest/lowest.txt
	@PIP_CONSTRAINT=.venv-lowest/lowest.txt \
		$(MAKE) --no-print-directory test VENV=.venv-lowest DATASETS=datasets

# Ray and Spark bring much of their own.
test-engines:
	@$(MAKE) --no-print-directory venv VENV=.venv-engines
	@.venv-engines/bin/python -m pip install -qq --disable-pip-version-check \
		--config-settings editable_mode=compat -e ".[test,engines]" "$(DATASETS)"
	.venv-engines/bin/python -m pytest -m engines $(ARGS)

lint: $(call stamp,dev)
	$(bin)/ruff check .
	$(bin)/ruff format --check .
	$(bin)/mypy

check: lint test test-slow

# Warnings are errors: links that lead nowhere, docstrings that do not parse.
docs: $(call stamp,docs)
	@$(bin)/python -m sphinx -q -W --keep-going -b html -c docs -d build/doctrees . build/docs
	@echo "wrote build/docs/index.html"

# The peers need much else, and two of them versions that nothing here needs: they have an
# environment of their own, and go without what they would bring for servers and pictures.
bench_bin := .venv-bench/bin
peers := litdata==0.2.76 mosaicml-streaming==0.13.0

bench: .venv-bench/.installed
	@$(bench_bin)/python benchmarks/side_by_side.py --scale $(SCALE) $(BENCH)
	@$(bench_bin)/python benchmarks/loader.py --scale $(SCALE)
	@$(bench_bin)/python benchmarks/export.py --scale $(SCALE)

bench-full:
	@$(MAKE) --no-print-directory bench SCALE=1

.venv-bench/.installed: setup.cfg pyproject.toml Makefile
	@$(MAKE) --no-print-directory venv VENV=.venv-bench
	@echo "Installing what the loader is compared with into .venv-bench"
	@$(bench_bin)/python -m pip install -qq --disable-pip-version-check --upgrade \
		--config-settings editable_mode=compat -e ".[bench]" "$(DATASETS)"
	@$(bench_bin)/python -m pip install -qq --disable-pip-version-check --no-deps $(peers)
	@touch $@

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
	@test -e $(VENV) || made=yes; $(PYTHON) -m venv $(VENV) || { test -z "$$made" || rm -rf $(VENV); \
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

$(call stamp,docs): setup.cfg pyproject.toml | $(bin)/pip
	$(call install,[docs])
