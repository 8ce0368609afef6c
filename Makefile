# Each target makes its own virtual environment on first use and keeps it: the stamp file inside is
# older than pyproject.toml or constraints.txt only when the dependencies have changed.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test lint docs check-docs bench clean

PYTHON ?= python3
VENV := .venv
DEMO := .venv-demo
BENCH := .venv-bench
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check -c constraints.txt

help:
	@echo "make demo   register real networks, check a disguised one, print the report"
	@echo "make test   lint, types, documentation and every test, with branch coverage"
	@echo "make lint   ruff and mypy only"
	@echo "make docs   write the generated pages anew"
	@echo "make bench  speed and memory, side by side with FAISS"
	@echo "make clean  remove the virtual environments"

demo: $(DEMO)/.installed
	@$(DEMO)/bin/python scripts/demo.py

test: lint check-docs
	$(VENV)/bin/python -m pytest --numprocesses auto --dist worksteal --no-skips --cov --cov-report=term

lint: $(VENV)/.installed
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy --strict src

docs: $(VENV)/.installed
	$(VENV)/bin/python scripts/make_docs.py

check-docs: $(VENV)/.installed
	$(VENV)/bin/python scripts/make_docs.py --check

bench: $(BENCH)/.installed
	for run in benchmarks/*/run.py; do $(BENCH)/bin/python $$run || exit; done

$(DEMO)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv --clear $(DEMO)
	$(DEMO)/bin/python $(PIP_INSTALL) -e .
	@touch $@

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv --clear $(VENV)
	$(VENV)/bin/python $(PIP_INSTALL) -e '.[torch,dev]'
	@touch $@

$(BENCH)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv --clear $(BENCH)
	$(BENCH)/bin/python $(PIP_INSTALL) -e '.[torch,bench]'
	@touch $@

clean:
	rm -rf $(VENV) $(DEMO) $(BENCH)
