# Every target does its own set-up: a fresh Debian or Ubuntu needs Python 3.11 or newer with venv, and make.
#   make PYTHON=python3.12 ...      another Python
#   make test ARGS='-k prometheus'  arguments for pytest

BIN := .venv/bin

# Links in a checkout, folders in an sdist. hatch_build.py says the same to whoever builds without make.
ROOMS := harness shift_generators stack reports scenarios
LOST := $(filter-out $(patsubst driftdrill/%/__init__.py,%,$(wildcard driftdrill/*/__init__.py)),$(ROOMS))
ifneq ($(LOST),)
define WITHOUT_LINKS
driftdrill/ must hold links to the folders $(LOST) beside it, and they are not there:
this checkout was made without symbolic links, by a zip download or by git with core.symlinks=false.
    for room in $(LOST); do ln -sf ../$$room driftdrill/$$room; done
makes them, in the checkout's folder
endef
$(error $(WITHOUT_LINKS))
endif

.PHONY: help
help:
	@echo "make demo    drill a real model with a real Prometheus, and show the report (3 minutes, installation included)"
	@echo "make test    run the tests; what this machine cannot run is named at the end"
	@echo "make test-install   type what the README prints; build, install and use the wheel"
	@echo "make test-servers   test the protocols on seven real model servers, each in an environment of its own (3 GB)"
	@echo "make truth   judge a table of lies and of what is well: each must be told (4 minutes on two cores)"
	@echo "make healthy drive 200 healthy drills: how many are not judged (half an hour)"
	@echo "make conformance-generated   generated rules and pages against a live Prometheus"
	@echo "make check   ruff, mypy, pyright, import-linter, homonyms"
	@echo "make bench   run the benchmarks"
	@echo "make clean   remove what these made"

.PHONY: demo
demo: .venv/installed-demo
	@tools/ensure-prometheus
	@$(BIN)/driftdrill demo $(ARGS)

# Five at once on two processors: half of their time tests wait. The order is tests/conftest.py's.
.PHONY: test
test: .venv/installed-dev
	@tools/ensure-prometheus
	@$(BIN)/python -m pytest -n 5 --dist loadfile --no-loadscope-reorder $(ARGS)

.PHONY: test-install
test-install: .venv/installed-dev
	@tools/ensure-prometheus
	@$(BIN)/python -m pytest tests/install -m install -n 4 --dist loadfile --no-loadscope-reorder $(ARGS)

.PHONY: test-servers
test-servers: .venv/installed-dev
	@$(BIN)/python -m pytest tests/servers -m servers -rs $(ARGS)

# In processes of its own, so that a judge that crashes is one entry that is not told.
.PHONY: truth
truth: .venv/installed-dev
	@tools/ensure-prometheus
	@$(BIN)/python -m tests.truth $(ARGS)
	@$(BIN)/python -m tests.truth.healthy --servers

.PHONY: healthy
healthy: .venv/installed-dev
	@tools/ensure-prometheus
	@$(BIN)/python -m tests.truth.healthy $(ARGS)

.PHONY: conformance-generated
conformance-generated: .venv/installed-dev
	@tools/ensure-prometheus
	@$(BIN)/python -m tests.truth.generated $(ARGS)

.PHONY: check
check: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports
	@$(BIN)/python tools/homonyms.py

.PHONY: bench
bench: .venv/installed-dev
	@tools/ensure-prometheus
	@$(BIN)/python -m benchmarks $(ARGS)

# What is installed, dev or demo, is installed anew only when pyproject.toml changes.
.venv/installed-demo: .venv/bin/python pyproject.toml
	@echo "Installing driftdrill and its demo into .venv (about a minute)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --use-pep517 --editable '.[demo]'
	@touch $@

.venv/installed-dev: .venv/bin/python pyproject.toml
	@echo "Installing driftdrill with its development tools into .venv (about a minute)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --use-pep517 --editable '.[dev]'
	@touch $@ .venv/installed-demo

# Broken off half-way, it is made anew: that is what this line is for.
.DELETE_ON_ERROR:

.venv/bin/python:
	@python=$$(tools/find-python) && "$$python" -m venv .venv

.PHONY: clean
clean:
	rm -rf .venv .editable build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache driftdrill-report
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
