# Every target sets up .venv by itself (.ci/install), the first time only.
.POSIX:
.PHONY: help install demo run test test-all chaos bench scale check clean

NOTES = 2000
KILLS = 200
SEED = 1
BENCH =
SCALE =

help:
	@echo "make demo      send a sample voice note through the whole bot, without a token"
	@echo "make run       run the bot (it needs a token: see README.md)"
	@echo "make test      run the tests; make test-all runs the slow ones too"
	@echo "make chaos     kill whatever can be killed while notes come: make chaos NOTES=2000 KILLS=200 SEED=1"
	@echo "make bench     compare the speed with other programs: make bench BENCH='--quick --only notes'"
	@echo "make scale     measure queue, ledger and workers with very many notes, in ten minutes: make scale SCALE='--waiting 10000'"
	@echo "make check     look for mistakes without running anything: lint, format, types, layers"
	@echo "make install   only set up .venv; see README.md for the GPU and the CPU build of torch"
	@echo "make clean     remove .venv and what tools left behind; data/ stays"

install:
	@PYTHON='$(PYTHON)' TORCH_INDEX='$(TORCH_INDEX)' .ci/install

demo: install
	@.venv/bin/earshot demo

run: install
	@.venv/bin/earshot run

test: install
	@PYTHONDONTWRITEBYTECODE= .venv/bin/pytest -q -n 5 --no-loadscope-reorder -m "not slow"

test-all: install
	@PYTHONDONTWRITEBYTECODE= .venv/bin/pytest -q

chaos: install
	@.venv/bin/python -m tests.chaos --notes '$(NOTES)' --kills '$(KILLS)' --seed '$(SEED)'

bench: install
	@.venv/bin/python -m tests.bench $(BENCH)

scale: install
	@.venv/bin/python -m tests.scale $(SCALE)
	@.venv/bin/python -m tests.scale.ledger

check: install
	@.venv/bin/ruff check --quiet .
	@.venv/bin/ruff format --quiet --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports --no-logo

clean:
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	rm -rf __pycache__ */__pycache__ */*/__pycache__ */*/*/__pycache__
