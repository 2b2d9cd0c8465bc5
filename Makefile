# Every target works alone, from a fresh clone, with Python 3.11 to 3.13, git and make.
# Other interpreter or environment: make demo PYTHON=python3.12 VENV=/some/folder

PYTHON ?= python3
VENV ?= .venv

BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help demo test bench mutants label test-label test-deploy constraints

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: $(VENV)/installed ## segment the sample picture from text, into demo_out/
	$(BIN)/monai-ext segment data/samples/breast_ultrasound.png -p "tumour in a breast ultrasound" -o demo_out --preview

# A process of the tests for each core, a file at a time; two threads in each would wait for each other.
test: $(VENV)/installed-test ## ruff, mypy and pytest
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile $(PYTEST_ARGS)

bench: $(VENV)/installed ## ratios of speed on this machine
	set -e; for file in tests/benchmarks/bench_*.py; do $(BIN)/python -m tests.benchmarks.$$(basename $$file .py); done

mutants: $(VENV)/installed-test ## one-line faults that the tests miss: make mutants FILES="monai_ext/io/slices.py"
	$(BIN)/python -m tests.mutants $(if $(NUMBER),--number $(NUMBER)) $(if $(SEED),--seed $(SEED)) $(FILES)

label: ## MONAI Label with this package, in .venv-label; then .venv-label/bin/monai-ext label --help
	$(PYTHON) .ci/integration --install label

test-label: ## a bundle in MONAI Label, in .venv-label
	$(PYTHON) .ci/integration label

test-deploy: ## a bundle in MONAI Deploy, in .venv-deploy
	$(PYTHON) .ci/integration deploy

constraints: ## the versions that both get, chosen anew, into .ci/constraints-*.txt
	$(PYTHON) .ci/integration --refresh

# The package is installed editable, so only a change of what it needs installs again. The stamps lie in the
# environment: deleting it deletes them. pip is the last that venv writes, so a half-made one is completed.
define environment
@python=$(BIN)/python; [ -x "$$python" ] || python='$(PYTHON)'; \
command -v "$$python" > /dev/null || { echo "error: $$python not found; install Python 3.11 to 3.13 or set PYTHON, for example: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }; \
"$$python" -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 13) else "error: Python 3.11 to 3.13 is needed, %s is %d.%d; set PYTHON, for example: make PYTHON=python3.12 $(MAKECMDGOALS)" % ((sys.executable,) + v))'
@[ -x $(BIN)/python -a -x $(BIN)/pip ] || $(PYTHON) -m venv $(VENV)
@echo "Installing monai_ext into $(VENV); the first time this takes some minutes and about 6 GB."
endef

$(VENV)/installed: pyproject.toml setup.py
	$(environment)
	@$(PIP) --editable .
	@touch $@

$(VENV)/installed-test: pyproject.toml setup.py
	$(environment)
	@$(PIP) --editable '.[test]'
	@touch $(VENV)/installed $@
