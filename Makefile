# Every target makes what it needs; `make` lists them. The set-up is .ci/setup:
# PYTHON= picks the interpreter, VENV= where its environment lives.
VENV ?= .venv
export VENV PYTHON
PY = $(VENV)/bin/python -P
SETUP = .ci/setup
.DEFAULT_GOAL := help
.PHONY: help setup demo test build bench models lint sim sanitize fuzz ctest clean

help:  ## list the targets
	@sed -n 's/^\([a-z]*\): .*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 18

setup:
	@$(SETUP)

demo: setup  ## interpreters index the standard library together (ARGS="--workers 4")
	@$(VENV)/bin/stmpy demo $(ARGS)

test: ctest  ## all tests (ARGS="-k name")
	@$(SETUP) test
	@$(PY) -m pytest $(ARGS)

ctest: setup
	@.ci/ctest

build: setup  ## a wheel in dist/
	@$(PY) -m pip wheel -q --no-build-isolation --no-deps -Cbuild-dir='build/wheel/{wheel_tag}' -w dist .
	@ls dist/*.whl

bench: setup  ## measure all, with peers and pictures (QUICK=1 only tries; ARGS="core --json")
	@$(VENV)/bin/python -m bench $(or $(ARGS),all $(if $(QUICK),--tiny,--save))

models: setup  ## check the models of the protocol, and that the broken ones fail
	@$(VENV)/bin/python -m models $(ARGS)

lint:  ## types and style
	@$(SETUP) dev
	@$(PY) -m ruff check .
	@$(PY) -m mypy
	@$(PY) -m mypy.stubtest stmpy._native --mypy-config-file pyproject.toml

sim: setup  ## the core under a deterministic scheduler, and bugs planted in it (ARGS=long)
	@.ci/sim $(ARGS)

sanitize:  ## the tests of the core under ThreadSanitizer, then AddressSanitizer and UBSan
	@.ci/sanitize thread
	@.ci/sanitize address

fuzz:  ## damaged bytes, and blocks against an oracle, under libFuzzer (ARGS="seconds seed")
	@.ci/fuzz $(ARGS)

clean:  ## remove what was built and every environment
	rm -rf build dist .venv*
