# Every target sets up what it needs: the environment in .venv and the pinned packages of constraints.txt.
# Set PYTHON=/path/to/python to choose the interpreter, VENV=directory to place the environment elsewhere.

VENV ?= .venv
# The tests reach ttnn in an environment of its own: it wants Python 3.12 or 3.10.
DEVICE_VENV ?= .venv-device
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt
# A path in place of an import hook: scripts beside a checkout named tt_jit would import that folder otherwise.
EDITABLE := $(PIP) --config-settings editable_mode=compat --editable
PACKAGING := setup.py pyproject.toml constraints.txt

.PHONY: help demo test test-device device-environment lint bench clean

help:  ## show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|' 2>/dev/null \
	    || sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1  \2/p' $(MAKEFILE_LIST)

demo: $(VENV)/.installed  ## GEMM and fused softmax on the emulator, checked against torch
	$(BIN)/python examples/demo.py

test: lint device-environment  ## the whole suite: ruff, mypy, pytest; kernels also through ttnn's mock device
	@rm -rf build/recorded-kernels
	$(BIN)/python -m pytest tests -rfEs

test-device: $(VENV)/.installed-dev  ## kernel tests on the chip or simulator, against the emulator
	@tools/create_device_environment.sh $(DEVICE_VENV) torch
	$(BIN)/python -m pytest tests/device -rfEs
	$(BIN)/python -m tests.device.suite

device-environment:
	@tools/create_device_environment.sh $(DEVICE_VENV)

lint: $(VENV)/.installed-dev  ## ruff and mypy only
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(VENV)/.installed-bench  ## every benchmark; tables on the screen, JSON in benchmarks/results
	@for file in benchmarks/bench_*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

clean:  ## remove the environment and everything built
	rm -rf $(VENV) $(DEVICE_VENV) $(DEVICE_VENV).reason build *.egg-info .mypy_cache .ruff_cache .pytest_cache

$(BIN)/python:
	tools/create_environment.sh $(VENV)

# The stamps are newer than the packaging files exactly when nothing has to be installed.
$(VENV)/.installed: $(PACKAGING) | $(BIN)/python
	$(EDITABLE) .
	@touch $@

$(VENV)/.installed-dev: $(PACKAGING) | $(BIN)/python
	$(EDITABLE) '.[dev]'
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-bench: $(PACKAGING) | $(BIN)/python
	$(EDITABLE) '.[bench]'
	@touch $@ $(VENV)/.installed
