# `make demo` and `make test` need nothing but Python 3.11 or newer, pip and make.
PYTHON ?= python3
BIN := .venv/bin

EXTRAS_demo := plot
EXTRAS_test := plot,image,onnx,distributed,dev
EXTRAS_docs := plot,image,onnx,docs

# Read by the example: folder of the real bearings, number of epochs.
export DATA EPOCHS
# Threads that spin while they wait slow each other down tenfold on a machine that does other work.
export OMP_WAIT_POLICY ?= PASSIVE

.PHONY: demo test lint bench docs clean

demo: .venv/demo.stamp
	$(BIN)/python examples/plot_bearing_rul.py

test: .venv/test.stamp
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 $(PYTEST_ARGS)

lint: .venv/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m mypy
	find skprog -name "*.py" | sort | xargs $(BIN)/python -m numpydoc lint

bench: .venv/test.stamp
	$(BIN)/python -m pytest tests/benchmarks $(PYTEST_ARGS)

docs: .venv/docs.stamp
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html
	@echo "Open docs/_build/html/index.html"

clean:
	rm -rf demo-output docs/_build docs/gallery docs/api/generated

# One stamp per set of extras: installed again when the requirements change.
.venv/%.stamp: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("skprog needs Python 3.11 or newer: make $* PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e ".[$(EXTRAS_$*)]"
	@touch $@
