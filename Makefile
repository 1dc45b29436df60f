# The words that a person and CI share. `make help` lists them.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Raw data folders for `make compact`; see docs/how-to/train-a-model.md.
DATA ?= ../shared/data
# How long `make fuzz` takes.
SECONDS ?= 60

PYTEST := $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help install demo check test docs build bench compact fuzz audit lock clean

help:  ## List these words
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

# Torch comes first and alone, from the CPU index where one is set: the default build would bring gigabytes of CUDA.
install: $(BIN)/.installed  ## Set up .venv with everything that developers and CI need

$(BIN)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet torch==2.13.0
	$(BIN)/pip install --quiet --editable '.[train,compact,quantize,serve,review,postgres,excel,pandas,sagemaker,onnx,ocr,heif,ray]' --group dev
	# Perspective's clients for Node, for the tests; they skip them where npm or its registry is missing.
	command -v npm > /dev/null && npm install --silent --no-save --no-package-lock perspective-api-client@3.1.0 \
		@conversationai/perspectiveapi-js-client@1.0.1 googleapis-common@8.0.3 || true
	# Spark, for the test of its how-to: 456 MB, of use only where Java is.
	command -v java > /dev/null && $(BIN)/pip install --quiet 'pyspark>=4.1' || true
	touch $@

demo: install  ## Score the sample posts and write an HTML report
	$(BIN)/crossguard demo

check: install  ## Lint, types, import contracts
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --cache-dir .import_linter_cache

test: install  ## Run every test (real-data tests too, where ../shared/data is)
	$(PYTEST) --ignore tests/security
	# Attacks on a server come from fresh processes: those of the tests before hold models, threads and handlers of signals.
	$(PYTEST) tests/security

docs: install  ## Check the documentation: links, examples, every command and setting described
	$(BIN)/python -m pytest tests/docs

build: install  ## Build the wheel, install it into a clean environment, and try it there
	BIN=$(BIN) PYTHON=$(PYTHON) scripts/check-wheel

bench: install  ## Posts per second and peak memory beside a plain PyTorch loop, in one run
	$(BIN)/python -m benchmarks.compact

compact: install  ## Train the bundled model again from the raw data folders in DATA
	BIN=$(BIN) DATA="$(DATA)" scripts/make-compact

fuzz: install  ## Mutate images, tables, manifests and requests; SECONDS=3600 for an hour
	$(BIN)/python -m tests.security.fuzzing --seconds $(SECONDS)

audit: install  ## Ask for known advisories about the packages of the container
	$(BIN)/python scripts/audit_dependencies.py

# The container's packages for Python 3.11 and later, each with the hashes of all its files.
LOCK := $(BIN)/uv pip compile --quiet --no-header --generate-hashes --universal --python-version 3.11
lock: install  ## Write deploy/requirements.txt again, with the newest versions that fit
	$(LOCK) --upgrade --extra serve pyproject.toml --output-file deploy/requirements.txt
	echo 'hatchling>=1.27' | $(LOCK) --upgrade - --output-file deploy/requirements-build.txt

clean:  ## Remove the environment and all caches
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
