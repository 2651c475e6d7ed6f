# `make demo` and `make test` work on a fresh Debian machine; both prepare it first (scripts/setup.sh).

BIN := .venv/bin
C_SOURCES = $(shell find runtime_c boards edgeq -name '*.[ch]' | LC_ALL=C sort)
JOBS ?= 2
BOARD ?= mps2-an386

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow test-shuffled coverage campaign-graphs campaign-bounds campaign-input campaign-memory campaign-mutants lint format golden code-bytes lock readme wheel clean costs

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

setup: ## system packages and .venv; quick when they are there
	@sh scripts/setup.sh

demo: setup ## compile the example, evaluate, verify, profile (BOARD=mps2-an386)
	@$(BIN)/python scripts/demo.py --board $(BOARD)

test: lint ## lint, types and tests
	$(BIN)/pytest -n $(JOBS)

test-slow: setup ## the tests that take minutes
	@sh scripts/setup.sh slow
	EDGEQ_TFLITE_RUNTIME_PYTHON="$${EDGEQ_TFLITE_RUNTIME_PYTHON-$$(sh scripts/environment.sh tflite-runtime)}" \
	EDGEQ_TFLITE_MICRO_PYTHON="$${EDGEQ_TFLITE_MICRO_PYTHON-$$(sh scripts/environment.sh tflite-micro)}" \
	EDGEQ_SKLEARN_PYTHON="$${EDGEQ_SKLEARN_PYTHON-$$(sh scripts/environment.sh sklearn)}" \
	EDGEQ_TORCH_PYTHON="$${EDGEQ_TORCH_PYTHON-$$(sh scripts/environment.sh torch)}" \
	$(BIN)/pytest -n $(JOBS) -m slow

test-shuffled: setup ## the tests in another order every time (SEED=N repeats one)
	$(BIN)/pytest -n $(JOBS) -p randomly $(if $(SEED),--randomly-seed=$(SEED))

coverage: setup ## branches of edgeq/ that the tests run, and lines of runtime_c/ on every core
	$(BIN)/pytest -n $(JOBS) --cov --cov-report=term:skip-covered --cov-report=json:build/coverage.json
	$(BIN)/python tests/campaigns/kernel_coverage.py

campaign-input: setup ## 2 000 damaged models, 200 damaged files and folders (ten minutes)
	$(BIN)/python -m tests.campaigns.damaged_input --workers $(JOBS)

campaign-graphs: setup ## 1 000 random graphs under sanitizers and on M0, M4, M55 (COUNT=N SEED=N; a quarter of an hour)
	PYTHONPATH=.:tests/unit $(BIN)/python -m tests.campaigns.random_graphs --workers $(JOBS) $(if $(COUNT),--count $(COUNT)) $(if $(SEED),--seed $(SEED))

campaign-memory: setup ## 10 000 random programs planned, checked and compared with the bound (COUNT=N SEED=N; some minutes)
	PYTHONPATH=.:tests/unit $(BIN)/python -m tests.campaigns.memory_plans --workers $(JOBS) $(if $(COUNT),--count $(COUNT)) $(if $(SEED),--seed $(SEED))

campaign-bounds: setup ## how far these plans are from the smallest, as OR-tools proves it (COUNT=N SEED=N; ten minutes)
	PYTHONPATH=. $(BIN)/python -m tests.campaigns.plan_bounds $(if $(COUNT),--count $(COUNT)) $(if $(SEED),--seed $(SEED))

campaign-mutants: setup ## faults planted one at a time, and the share that the tests catch (an hour)
	EDGEQ_COSMIC_RAY_PYTHON="$${EDGEQ_COSMIC_RAY_PYTHON-$$(sh scripts/environment.sh cosmic-ray)}" \
	$(BIN)/python -m tests.campaigns.mutants --workers $(JOBS)

lint: setup ## ruff, mypy, clang-format
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/clang-format --dry-run -Werror $(C_SOURCES)

format: setup ## lay out Python and C
	$(BIN)/ruff check --fix --select I
	$(BIN)/ruff format
	$(BIN)/clang-format -i $(C_SOURCES)

lock: setup ## write requirements.lock anew from pyproject.toml
	CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --quiet --upgrade --allow-unsafe --generate-hashes --strip-extras \
	    --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --extra dev --extra tvm --extra tflite --extra solver -o requirements.lock pyproject.toml

golden: setup ## write digests and instruction budgets of fixed models anew, after a change that is meant
	PYTHONPATH=.:tests/unit $(BIN)/python -m tests.golden.digests $${EDGEQ_DATA:-../shared/data}/models
	PYTHONPATH=.:tests/unit $(BIN)/python -m tests.golden.sources
	PYTHONPATH=.:tests/unit $(BIN)/python -m tests.golden.instructions $${EDGEQ_DATA:-../shared/data}/models

code-bytes: setup ## measure how many bytes instances of kernels take, after a change of kernels: some minutes
	PYTHONPATH=.:tests/unit $(BIN)/python -m tests.golden.code_bytes $${EDGEQ_DATA:-../shared/data}/models $(FAMILIES)

costs: setup ## count what kernels cost and fit targets/costs.json to it, after a change of kernels: some minutes
	PYTHONPATH=.:tests/unit $(BIN)/python -m tests.golden.costs $${EDGEQ_DATA:-../shared/data}/models

readme: setup ## write the generated tables of README.md anew
	$(BIN)/python scripts/readme.py

wheel: setup ## dist/edgeq-VERSION-py3-none-any.whl
	$(BIN)/python -m build --wheel --no-isolation

clean: ## everything that is made from sources, but .venv
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
