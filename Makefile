# The words that a person and CI share. `make help` lists them.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Raw data folders for `make compact`; see docs/how-to/train-a-model.md.
DATA ?= ../shared/data

.DEFAULT_GOAL := help
.PHONY: help install demo check test docs build bench compact clean

help:  ## List these words
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

# Torch comes first and alone, from the CPU index where one is set: the default build would bring gigabytes of CUDA.
install: $(BIN)/.installed  ## Set up .venv with everything that developers and CI need

$(BIN)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet torch==2.13.0
	$(BIN)/pip install --quiet --editable '.[train,compact,quantize,serve,sagemaker,onnx,ocr,heif]' --group dev
	# Perspective's client for Node, for the tests; they skip it where npm or its registry is missing.
	command -v npm > /dev/null && npm install --silent --no-save --no-package-lock perspective-api-client@3.1.0 || true
	touch $@

demo: install  ## Score the sample posts and write an HTML report
	$(BIN)/crossguard demo

check: install  ## Lint, types, import contracts
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --cache-dir .import_linter_cache

test: install  ## Run every test (real-data tests too, where ../shared/data is)
	$(BIN)/python -m pytest

docs: install  ## Check the documentation: links, examples, every command and setting described
	$(BIN)/python -m pytest tests/docs

build: install  ## Build the wheel, install it into a clean environment, and try it there
	scripts/check-wheel

bench: install  ## Posts per second and peak memory beside a plain PyTorch loop, in one run
	$(BIN)/python -m benchmarks.compact

compact: install  ## Train the model in the box again from the raw data folders in DATA
	BIN=$(BIN) DATA=$(DATA) scripts/make-compact

clean:  ## Remove the environment and all caches
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
