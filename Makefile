# One environment (.venv), a few commands. `make` alone lists them.
# the system's Python, even from inside an activated environment
PYTHON   ?= $(shell $$(command -v python3.11 || command -v python3) -c 'import sys; print(sys._base_executable)')
PORT     ?= 8000
BOOK_OUT ?= .
JOBS     ?= 2
PAGES    ?=
PARTS    ?=
GRADES   ?= _build/grades

VENV  := .venv
BIN   := $(VENV)/bin
PIP   := $(BIN)/python -m pip install --quiet --disable-pip-version-check
STAMP := $(VENV)/.installed

# Two processes with one thread each: tests and notebooks run side by side and repeatably.
export OMP_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.PHONY: help venv book serve test test-quick check execute claims handout slides assignments instructor grade bench clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

venv: $(STAMP) ## make the environment in .venv (quick when nothing changed)

# `.installing` marks a run in progress: if it is still there, the last one was cut short, so start afresh.
$(STAMP): requirements.txt constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || \
	  { echo "Python 3.11 is needed: make venv PYTHON=/path/to/python3.11"; exit 1; }
	@if [ -e $(VENV)/.installing ] || ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
	  rm -rf $(VENV) && $(PYTHON) -m venv $(VENV); fi
	@echo "Installing into $(VENV): minutes the first time, seconds later"
	@touch $(VENV)/.installing
	$(PIP) -r requirements.txt || { rm $(VENV)/.installing; exit 1; }
	@rm $(VENV)/.installing
	$(PIP) --no-build-isolation --no-deps -e .
	@touch $@

book: $(STAMP) ## build the HTML pages from scratch, warnings are errors
	@rm -rf $(BOOK_OUT)/_build/.doctrees $(BOOK_OUT)/_build/html
	$(BIN)/jupyter-book build . --path-output $(BOOK_OUT) -W -n --keep-going
	@echo "The book: $(abspath $(BOOK_OUT))/_build/html/index.html"

serve: $(STAMP) ## show the built book on localhost (PORT=8000)
	@test -e _build/html/index.html || $(MAKE) --no-print-directory book
	@echo "http://localhost:$(PORT)"
	@$(BIN)/python -m http.server $(PORT) --bind localhost --directory _build/html

check: $(STAMP) ## style and types only
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: check ## everything: style, types, library, doctests, every notebook, the built book
	$(BIN)/python -m pytest -n $(JOBS) --dist loadscope --durations 10 --cov \
	  --doctest-modules --nbval-lax --nbval-current-env --nbval-cell-timeout 120 \
	  --nbval-sanitize-with tests/book/nbval_sanitize.cfg moelib tests book

test-quick: check ## two minutes: style, types and the quick tests of the library
	$(BIN)/python -m pytest -q -n $(JOBS) -m "not slow" --doctest-modules moelib tests --ignore tests/book

execute: $(STAMP) ## re-run changed notebooks in place (ALL=1: all; PAGES="a.ipynb b.ipynb": these)
	$(BIN)/python tools/execute_notebooks.py --jobs $(JOBS) $(if $(ALL),--all) $(PAGES)
	$(BIN)/python tools/claims.py
	$(BIN)/python tools/teaching.py

claims: $(STAMP) ## regenerate the claims ledger, book/claims.md
	$(BIN)/python tools/claims.py

handout: $(STAMP) ## chapters without solutions (PAGES="a.ipynb b.ipynb": these; default: all)
	$(BIN)/python tools/handout.py $(PAGES)

slides: $(STAMP) ## a deck for each part in _build/slides (PARTS="1 3": these)
	$(BIN)/python tools/slides.py $(PARTS)

assignments: $(STAMP) ## problem sets as students get them (STUDENTS=roster.csv: and their data)
	$(BIN)/python -m moelib.classroom release $(if $(STUDENTS),--students $(STUDENTS))

instructor: $(STAMP) ## solutions, rubrics and question bank, in _build/instructor (not public)
	$(BIN)/python tools/instructor.py

grade: $(STAMP) ## grade a folder (SUBMISSIONS=dir; STUDENTS=roster.csv; ASSIGNMENT=1-gated-model)
	$(BIN)/python -m moelib.classroom grade $(SUBMISSIONS) --out $(GRADES) --jobs $(JOBS) \
	  $(if $(ASSIGNMENT),--assignment $(ASSIGNMENT)) $(if $(STUDENTS),--students $(STUDENTS))

bench: $(STAMP) ## time the estimators on two cores
	OMP_NUM_THREADS=2 $(BIN)/python -m benchmarks.fits

clean: ## remove what was built (not .venv)
	rm -rf _build .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage htmlcov moelib.egg-info
