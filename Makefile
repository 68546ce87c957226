# `make run` starts it, `make test` checks it. Needs Python 3.11 or newer and make; everything else comes into .venv.

SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
STAMP := $(VENV)/.installed
PYTEST_FLAGS ?= -n auto
TEST_DATABASE_URL ?= postgres://postgres@127.0.0.1:5432/agentiam
TEST_REDIS_URL ?= redis://127.0.0.1:6379/15

# Many processes start from the same source, above all in the tests: it is compiled once.
unexport PYTHONDONTWRITEBYTECODE

# The first of these that runs and is new enough.
FIND_PYTHON = for p in $(PYTHON) python3.13 python3.12 python3.11 python3.14 python3; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$p"; exit 0; }; done; exit 1

.PHONY: help setup run test test-services static-checks pytest lint bench lock clean

help:
	@echo "make run            set up, load the example organization, serve on http://127.0.0.1:8000"
	@echo "make test           every check and every test, on the embedded database"
	@echo "make test-services  every test, on PostgreSQL and Redis"
	@echo "make lint           format and mend what can be mended"
	@echo "make bench          measure"
	@echo "make lock           resolve requirements/*.in anew"
	@echo "make clean          remove what was built; the data in var/ stays"

setup: $(STAMP)

$(STAMP): requirements/dev.txt
	@python=$$($(FIND_PYTHON)) || { echo "agentiam needs Python 3.11 or newer; none was found. Name one: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11" >&2; exit 1; }; \
	[ -x $(PY) ] || "$$python" -m venv $(VENV)
	@# The lock names everything, so nothing is left to resolve: a resolver of an older pip stumbles over a newer release of what is locked.
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/dev.txt
	$(BIN)/pip check --quiet --disable-pip-version-check
	@touch $@

run: setup
	@$(PY) manage.py quickstart --before-serve
	@# Gives a demo company that was just loaded its first day of decisions, as soon as the server answers; else it ends at once.
	@($(PY) manage.py demo_traffic --first --wait 60 &); exec $(PY) manage.py serve

test: static-checks pytest

static-checks: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy .
	$(BIN)/deptry .
	$(BIN)/djade --check $$(find templates -name '*.html')
	$(PY) manage.py makemigrations --check --dry-run
	$(PY) manage.py check --fail-level WARNING

pytest: setup
	$(PY) -m pytest $(PYTEST_FLAGS)

# Django makes its own test databases beside the one named here.
test-services: setup
	DATABASE_URL=$(TEST_DATABASE_URL) REDIS_URL=$(TEST_REDIS_URL) $(PY) -m pytest $(PYTEST_FLAGS)

lint: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/djade $$(find templates -name '*.html')

bench: setup
	$(PY) -m benchmarks

lock:
	@command -v uv >/dev/null || { echo "Locking needs uv; installing what is locked does not." >&2; exit 1; }
	for name in base extras dev; do \
		uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
			--no-emit-index-url --no-emit-find-links requirements/$$name.in --output-file requirements/$$name.txt || exit 1; \
	done

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache test-results
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
