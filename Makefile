# Two commands: `make demo` and `make test`. Both make .venv from requirements.lock when it is not there, and can be run again and again.

PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do command -v $$p >/dev/null && echo $$p && break; done)
VENV   := .venv
BIN    := $(VENV)/bin
# The stamp carries the hash of what it was made from and is written last: a broken-off set-up starts again, a finished one costs nothing.
STAMP  := $(VENV)/ready-$(shell cat requirements.lock pyproject.toml | cksum | cut -d' ' -f1)
WORKERS ?= 2
# One thread a test worker: two workers with two threads each only get in each other's way.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n $(WORKERS) --dist loadscope --no-loadscope-reorder

.PHONY: bench-accord bench-accord-formats bench-accord-generated bench-accord-public bench-ahan bench-core bench-dcal bench-hag bench-histograph bench-loop bench-mil bench-otsnet bench-otsnet-gpu bench-otsnet-parts bench-otsnet-two-cores bench-predict cover demo test test-full test-low lint types layers lock venv clean

venv: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { echo "discern needs Python 3.11 to 3.13; name one: make PYTHON=python3.12 $(MAKECMDGOALS)"; rm -rf $(VENV); exit 1; }
	@echo "installing into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@rm -f $(VENV)/ready-*
	@touch $@

demo: $(STAMP)
	@$(BIN)/discern demo

# Types are checked beside the tests: pyright keeps only one core busy.
test: $(STAMP) lint layers
	@$(BIN)/pyright > $(VENV)/types.log & types=$$!; \
	$(PYTEST) -m "not full and not gpu" --durations=10; tests=$$?; \
	wait $$types || { cat $(VENV)/types.log; exit 1; }; exit $$tests

# Which lines no test runs: counting them takes minutes more.
cover: $(STAMP)
	$(PYTEST) -m "not full and not gpu" --cov --cov-report=term:skip-covered

test-full: $(STAMP) lint layers types
	$(PYTEST) -m "not gpu"

# The lower end of the version ranges, in an environment of its own.
test-low: $(STAMP)
	@.venv-low/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv-low
	@$(BIN)/python tests/lower_ends.py > .venv-low/lower.txt
	@.venv-low/bin/python -m pip install --quiet -r .venv-low/lower.txt
	@.venv-low/bin/python -m pip install --quiet --no-deps --no-build-isolation -e .
	OMP_NUM_THREADS=1 .venv-low/bin/python -m pytest -q -n $(WORKERS) -m "not full and not gpu"

lint: $(STAMP)
	@$(BIN)/ruff format --check --quiet . || { echo "run: $(BIN)/ruff format ."; exit 1; }
	@$(BIN)/ruff check --quiet .

layers: $(STAMP)
	@$(BIN)/lint-imports --no-cache > .venv/layers.log 2>&1 || { cat .venv/layers.log; exit 1; }

types: $(STAMP)
	@$(BIN)/pyright

# Measure alone on the machine; the results and the tables of benchmarks/README.md are written anew.
bench-core bench-loop bench-predict: bench-%: $(STAMP)
	$(BIN)/python -W ignore -m benchmarks.$*.run
	@$(BIN)/python -m benchmarks.tables

# Train for hours: one thread, and what was broken off goes on with the next row. DATA holds faces/lfw, finegrained/cub38, reid/pku59, mil_bags,
# scene_text, graphs, polyp, cifar10_subset, problems, slides/glas and slides/real_wsi; FAISS_PYTHON, TIMM_PYTHON and PYVRP_PYTHON, if given,
# are the interpreters of environments with faiss-cpu, with timm, and with pyvrp; AHAN_MODEL is an exported file of ahan. What needs one that
# is not given keeps the ahan tables that there are.
DATA ?= ../shared/data
# Two cores, a thread each: two long parts side by side; what measures speed comes afterwards, alone. Less than three hours in all.
bench-accord: $(STAMP)
	$(MAKE) -j2 bench-accord-public bench-accord-generated bench-accord-formats
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m benchmarks.accord.text
	$(BIN)/python -W ignore -m benchmarks.accord.speed --data $(DATA)/problems
	@$(BIN)/python -m benchmarks.tables

bench-accord-public: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m benchmarks.accord.public --data $(DATA)/problems $(if $(PYVRP_PYTHON),--pyvrp $(PYVRP_PYTHON))

bench-accord-generated: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m benchmarks.accord.generated $(if $(PYVRP_PYTHON),--pyvrp $(PYVRP_PYTHON))

bench-accord-formats: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m benchmarks.accord.formats

bench-ahan: $(STAMP)
	$(BIN)/python -W ignore -m benchmarks.ahan.speed
	$(if $(FAISS_PYTHON),OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m benchmarks.ahan.search --faiss-python $(FAISS_PYTHON))
	$(if $(AHAN_MODEL),OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m benchmarks.ahan.detection --data $(DATA)/faces/lfw --model $(AHAN_MODEL))
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m benchmarks.ahan.embedded
	$(BIN)/python -W ignore -m benchmarks.ahan.lfw --data $(DATA)/faces/lfw
	@$(BIN)/python -m benchmarks.tables

bench-dcal: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m benchmarks.dcal.search $(if $(FAISS_PYTHON),--faiss-python $(FAISS_PYTHON))
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m benchmarks.dcal.beetles
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m benchmarks.dcal.pku59 --data $(DATA)/reid/pku59
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m benchmarks.dcal.cub38 --data $(DATA)/finegrained/cub38
	@$(BIN)/python -m benchmarks.tables

bench-hag: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m benchmarks.hag.cost
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m benchmarks.hag.toys
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m benchmarks.hag.embedded --sun $(DATA)/polyp/sun_sizes/cases.csv
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m benchmarks.hag.kvasir --data $(DATA)/polyp
	for part in resnets vits; do \
		for share in 0/2 1/2; do \
			OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m benchmarks.hag.cifar --data $(DATA)/cifar10_subset --share $$share & \
		done; \
		wait; \
	done
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m benchmarks.hag.cifar --data $(DATA)/cifar10_subset
	$(if $(TIMM_PYTHON),PYTHONPATH=. OMP_NUM_THREADS=1 $(TIMM_PYTHON) -W ignore -m benchmarks.hag.timm_gates)
	@$(BIN)/python -m benchmarks.tables

bench-histograph: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m benchmarks.histograph.cost
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m benchmarks.histograph.depth --data $(DATA)/graphs/Cora
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m benchmarks.histograph.mix_batch --data $(DATA)/graphs
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m benchmarks.histograph.tu --data $(DATA)/graphs
	@$(BIN)/python -m benchmarks.tables

bench-mil: $(STAMP)
	$(BIN)/python -W ignore -m benchmarks.mil.front_end
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m benchmarks.mil.hard_bags
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m benchmarks.mil.large_bags
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m benchmarks.mil.slides --data $(DATA)/slides/real_wsi
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m benchmarks.mil.bags --data $(DATA)/mil_bags
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m benchmarks.mil.glas --data $(DATA)/slides/glas
	@$(BIN)/python -m benchmarks.tables

# The three readers, on one core: about two and a half hours of it.
bench-otsnet: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m benchmarks.otsnet.generator
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m benchmarks.otsnet.detector
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m benchmarks.otsnet.speed
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m benchmarks.otsnet.steps --data $(DATA)/scene_text
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m benchmarks.otsnet.budget --data $(DATA)/scene_text --only otsnet ctc parseq commonest hog
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m benchmarks.otsnet.budget --data $(DATA)/scene_text --table
	@$(BIN)/python -m benchmarks.tables

# After bench-otsnet: without each part, and what the parts do; about four and a half hours of one core.
bench-otsnet-parts: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m benchmarks.otsnet.embedded
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m benchmarks.otsnet.judged_generator --data $(DATA)/scene_text
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m benchmarks.otsnet.budget --data $(DATA)/scene_text
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m benchmarks.otsnet.stress
	@$(BIN)/python -m benchmarks.tables

# The same minutes of two cores, and an hour of them: about two hours and three quarters.
bench-otsnet-two-cores: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m benchmarks.otsnet.steps --data $(DATA)/scene_text --workers 1
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m benchmarks.otsnet.budget --data $(DATA)/scene_text --workers 1 --seeds 0 --only otsnet ctc parseq
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m benchmarks.otsnet.budget --data $(DATA)/scene_text --workers 1 --seeds 0 --minutes 60 --only otsnet ctc
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m benchmarks.otsnet.budget --data $(DATA)/scene_text --table
	@$(BIN)/python -m benchmarks.tables

# On a machine with a GPU; it takes what it is given.
bench-otsnet-gpu: $(STAMP)
	$(BIN)/python -W ignore -m benchmarks.otsnet.gpu --data $(DATA)/scene_text
	@$(BIN)/python -m benchmarks.tables

# New pins from the ranges of pyproject.toml, as resolved here. torch without its local build name, so that any build satisfies it.
lock: $(STAMP)
	@{ echo "# Exact versions of everything, for Python 3.11 to 3.13. Made by \`make lock\`; installs with pip alone."; \
	  $(BIN)/python -m pip freeze --all --exclude-editable | grep -v '^pip==' | sed -e 's/+cpu//' -e "s/^triton==\(.*\)/triton==\1; platform_system == 'Linux'/"; } > requirements.lock.new
	@mv requirements.lock.new requirements.lock

clean:
	rm -rf $(VENV) .venv-low build *.egg-info
