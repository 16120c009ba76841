# What a person runs. Each target does the set-up that it needs; ARGS goes to the command behind it.
#   make demo ARGS="--duration 60 --summary out.json"      make test ARGS="tests/unit -k grid"

VENV   := .venv
BIN    := $(VENV)/bin
PYTHON ?= python3
ARGS   ?=
DURATION ?= 10m
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: help setup demo test chaos chaos-maker clients bench soak lint format types proto proto-check lock clean
help:
	@echo "make setup   everything for development, in $(VENV)"
	@echo "make demo    a simulated exchange, the connector, a grid and the live page, in one terminal"
	@echo "make test    all tests (ARGS=\"--large\" for the full-size proofs)"
	@echo "make chaos   eight clients through ten minutes of faults and kills (ARGS=\"--duration 60 --exchange okx\")"
	@echo "make chaos-maker   a grid through faults and kills -9 in each mode (ARGS=\"--mode long --kills 20\")"
	@echo "make clients  npm clients and nautilus_trader trade on the simulator, unmodified (ARGS=\"--client bybit-api\")"
	@echo "make bench   what the connector and the adapters cost, beside their floors (ARGS=\"--quick\")"
	@echo "make soak    the connector under load for DURATION=10m (24h for a release); fails when something grows"
	@echo "make lint    style, imports, words              make format  put the style right"
	@echo "make types   mypy, strict                        make proto   regenerate src/opensqt/proto"
	@echo "make lock    renew the locked dependencies       make clean   remove what was made here"

setup: $(VENV)/.development

demo: $(VENV)/.runtime
	@$(BIN)/opensqt demo $(ARGS)

# Most proofs wait for sockets and processes: more of them run at once than there are processors.
WORKERS ?= 6
test: $(VENV)/.development
	$(BIN)/pytest -n $(WORKERS) --dist worksteal $(ARGS)

chaos: $(VENV)/.development
	@$(BIN)/python -m tests.chaos.marathon $(ARGS)

chaos-maker: $(VENV)/.development
	@$(BIN)/python -m tests.chaos.campaign $(ARGS)

clients: $(VENV)/.development
	@$(BIN)/python -m tests.clients $(ARGS)

bench: $(VENV)/.development
	$(BIN)/python -m benchmarks $(ARGS)

soak: $(VENV)/.development
	$(BIN)/python -m benchmarks.soak --duration $(DURATION) $(ARGS)

lint: $(VENV)/.development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/python scripts/check_words.py

format: $(VENV)/.development
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(VENV)/.development
	$(BIN)/mypy

proto: $(VENV)/.development
	$(BIN)/python scripts/generate_proto.py

proto-check: proto
	@test -z "$$(git status --porcelain -- src/opensqt/proto)" || \
		{ git --no-pager diff -- src/opensqt/proto; echo "error: src/opensqt/proto is not what proto/ says; run make proto and commit"; exit 1; }

LOCK := $(BIN)/uv pip compile pyproject.toml --extra postgres --extra otel --universal --python-version 3.11 --generate-hashes --no-header --quiet
lock: $(VENV)/.development
	$(LOCK) -o requirements.lock
	$(LOCK) --group dev -o requirements-dev.lock

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache dist build

# The stamps make a second run instant. Dependencies come from the locks, hash by hash; our own package is editable.
$(BIN)/python:
	@python=$$(PYTHON=$(PYTHON) sh scripts/find_python.sh) && echo "making $(VENV) with $$python" && "$$python" -m venv $(VENV)

$(VENV)/.runtime: requirements.lock pyproject.toml | $(BIN)/python
	@echo "installing OpenSQT and what it needs into $(VENV) (once, a minute or two)"
	$(PIP) install --require-hashes -r requirements.lock
	$(PIP) install --no-deps -e .
	@touch $@

$(VENV)/.development: requirements-dev.lock pyproject.toml | $(BIN)/python
	@echo "installing OpenSQT and its development tools into $(VENV) (once, a minute or two)"
	$(PIP) install --require-hashes -r requirements-dev.lock
	$(PIP) install --no-deps -e .
	@touch $@ $(VENV)/.runtime
