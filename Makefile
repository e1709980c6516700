# `make demo` and `make test` are all that a fresh clone needs: both make the environment first, once.
# Another Python: make demo PYTHON=python3.12. Words for pip (a mirror, for example): make demo PIP_ARGS='...'.

PYTHON ?= python3
PIP_ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install demo test check fast slow bench format lowest release docs

help: ## Say what can be made
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:[^#]*## /	/' | expand -t 10

install: $(INSTALLED) ## Make the environment .venv with the pinned versions (the others do this by themselves)

# The stamp is as old as the last successful installation; a change of the pins installs again.
$(INSTALLED): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install $(PIP_ARGS) -c constraints.txt -e '.[dev,report,ray,app]'
	@touch $@

demo: $(INSTALLED) ## Generate images of one prompt by three methods on the embedded model; ends by saying where the grid is
	$(BIN)/heedful generate "a cat and a blue clock" --compare none,attend-and-excite,heedful --seeds 0-3 --out out/demo

test: $(INSTALLED) ## The default tests, on all cores
	$(BIN)/python -m pytest -n auto --dist loadfile

check: $(INSTALLED) ## Format, lint, types, floors, file lengths
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/python -m pytest -q tests/floors

fast: $(INSTALLED) ## The tests that failed last time first, stopping at the first failure
	$(BIN)/python -m pytest -q -x --failed-first

slow: $(INSTALLED) ## The tests that take longer than a few seconds, those of quantised weights and of the page in a browser
	$(BIN)/python -m pip install $(PIP_ARGS) -c constraints.txt -e '.[quantised,app,browser,notebooks]'
	$(BIN)/python -m pytest -m slow
	$(BIN)/python -m pytest tests/attention/test_quantised.py tests/guidance/test_quantised_weights.py

bench: $(INSTALLED) ## What guidance costs, into docs/performance.md
	$(BIN)/python benchmarks/guidance_cost.py --page docs/performance.md

format: $(INSTALLED) ## Let ruff format and fix what it can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Of these, one of each room: what a version that is too old breaks, breaks there.
LOWEST := .venv-lowest
LOWEST_TESTS := tests/parity tests/attention/test_capture.py tests/bench/test_run.py tests/cli/test_generate.py \
  tests/guidance/test_guide.py tests/images/test_generate.py tests/lab/test_trial.py tests/losses/test_loss.py \
  tests/models/test_model.py tests/prompts/test_concept.py tests/report/test_bench_page.py tests/scores/test_clip.py \
  tests/steering/test_interception.py tests/teaching/test_teach.py tests/teaching/test_training.py \
  tests/world/test_embedded.py
# On Linux, the lowest torch comes from the registry as a CUDA build of some GB, so the pinned one stays in its place, unless
# uv is told where a smaller build is: make lowest KEEP_TORCH= UV_ARGS='--torch-backend cpu'
# Warnings are no errors there: libraries that differ in age deprecate each other. Nor are shapes checked, which is a matter of
# our own code, and for which the lowest jaxtyping comes too late.
KEEP_TORCH ?= torch
UV_ARGS ?=

lowest: ## The demo, parity and a test file of each room with the lowest versions that pyproject.toml allows
	$(PYTHON) -m venv --clear $(LOWEST)
	$(LOWEST)/bin/python -m pip install $(PIP_ARGS) -c constraints.txt uv $(KEEP_TORCH)
	$(LOWEST)/bin/uv pip install --python $(LOWEST)/bin/python --resolution lowest-direct $(UV_ARGS) -e '.[dev,report,ray,train]'
	$(LOWEST)/bin/heedful generate "a cat and a blue clock" --compare none,attend-and-excite,heedful --seeds 0-3 --out out/lowest
	$(LOWEST)/bin/python -m pytest -q -W default -o addopts="--import-mode=importlib -m 'not slow and not gpu'" $(LOWEST_TESTS)

PYTHONS ?=
release: $(INSTALLED) ## Build sdist and wheel, check them, and try the wheel on each Python that is here; uploads nothing
	$(BIN)/python -m pip install $(PIP_ARGS) -c constraints.txt -e '.[release]'
	$(BIN)/python tools/release.py $(PYTHONS)

docs: $(INSTALLED) ## Build the documentation into build/site; a link that leads nowhere is an error
	$(BIN)/python -m pip install $(PIP_ARGS) -c constraints.txt -e '.[docs]'
	$(BIN)/python -m mkdocs build --strict
