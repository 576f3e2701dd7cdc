# Everything is installed into .venv; `make demo` and `make test` are all a newcomer needs.
PYTHON ?= python3
ARGS ?=
BIN := .venv/bin
# Two more than there are processors: most tests wait for processes of their own.
WORKERS ?= $(shell echo $$(( $$(nproc 2>/dev/null || echo 2) + 2 )))
# The longest test takes a tenth of it on a busy machine; one that hangs fails by its name, and the rest go on.
HANGS := 400
SOAK_HOURS ?= 24
SOAK_MINUTES ?= 30
# A part of a day is no reason to overwrite the page of a whole one.
SOAK_OUT := $(if $(filter 24,$(SOAK_HOURS)),tests/faults,.cache/soak)
# For pip's isolated build environments too, which do not see -c; relative, because pip splits it at spaces.
export PIP_CONSTRAINT := constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# A district is some hundred starts of Python: without its bytecode each would compile the whole project again.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help demo test bench test-faults fault-matrix simulate test-soak test-soak-day test-camera test-drivers test-mosquitto test-arm64 test-hardware lint audit clean test-power

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

demo: .venv/rehearsal.installed ## a whole small district on this computer; ARGS="--once --json --seconds 10 ..."
	@$(BIN)/liuhen-provision rehearse $(ARGS)

test: .venv/test.installed ## every test, on all cores; ARGS="-k name" for some
	@sh tests/system-packages.sh
	$(BIN)/pytest -n $(WORKERS) --dist loadgroup --timeout $(HANGS) $(ARGS)

bench: .venv/test.installed ## every figure beside its peer and target, into bench.json and tests/benchmarks/RESULTS.md; ARGS="--quick"
	$(BIN)/python -m tests.benchmarks $(ARGS)

test-faults: .venv/test.installed ## the slow tier: many kills and faults in a row
	@sh tests/system-packages.sh
	$(BIN)/pytest -m faults -s $(ARGS)

fault-matrix: .venv/test.installed ## plays every test of the fault matrix and writes tests/faults/MATRIX.md; two hours
	@sh tests/system-packages.sh
	@rm -f .cache/fault-matrix.xml
	-$(BIN)/pytest -m "" --junitxml=.cache/fault-matrix.xml $$($(BIN)/python -m tests.faults.matrix --names) $(ARGS)
	$(BIN)/python -m tests.faults.matrix .cache/fault-matrix.xml

simulate: .venv/test.installed ## a district in virtual time; ARGS="--seeds 0:10000" or ARGS="--seed 4711 --log"
	$(BIN)/python -m tests.simulator $(ARGS)

test-soak: test-soak-day ## a day of a small district in 9 minutes, then 30 minutes of kills; SOAK_HOURS=4, SOAK_MINUTES=5 for less
	SOAK_MINUTES=$(SOAK_MINUTES) $(BIN)/pytest -m faults -s tests/faults/test_outbox_soak.py $(ARGS)

test-soak-day: .venv/test.installed ## the day alone; writes tests/faults/SOAK.md and its plot (a part of a day: into .cache/soak)
	@sh tests/system-packages.sh
	@mkdir -p $(SOAK_OUT)
	SOAK_HOURS=$(SOAK_HOURS) SOAK_OUT=$(SOAK_OUT) $(BIN)/pytest -m faults -s tests/faults/test_day_soak.py $(ARGS)

test-camera: .venv/bin/python ## real picamera2 on a virtual camera, in a Debian userland; needs root
	@sh tests/camera/tier.sh $(ARGS)

test-drivers: .venv/test.installed ## V4L2 and ALSA on the kernel's own drivers, in a virtual machine; needs root
	@sh tests/drivers/tier.sh

test-arm64: .venv/bin/python ## the fast tests and a recording in an emulated aarch64 userland; needs root
	@sh tests/arm64/tier.sh $(ARGS)

test-power: .venv/test.installed ## the power of a whole guest is cut while it records, on ext4 and f2fs; POWER_CUTS=5 for fewer
	@sh tests/power/tier.sh $(ARGS)

test-mosquitto: .venv/test.installed ## the broker tests on Mosquitto 2.1 from Debian unstable; needs root
	@sh tests/brokers/tier.sh $(ARGS)

test-hardware: .venv/bin/python ## the camera's tests on a real Raspberry Pi
	@sh tests/camera/hardware.sh $(ARGS)

lint: .venv/test.installed ## style and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

audit: .venv/test.installed .cache/audit/venv ## known holes, secrets, bill of materials, the same wheel twice
	$(BIN)/python -m tests.audit

.cache/audit/venv: tests/audit/requirements.txt
	@rm -rf $@ && $(PYTHON) -m venv $@ && PIP_CONSTRAINT= $@/bin/pip install --quiet -r $< || { rm -rf $@; exit 1; }

clean: ## remove what the other targets made
	rm -rf --one-file-system .cache
	rm -rf .venv dist .mypy_cache .ruff_cache .pytest_cache .hypothesis rehearsal-* bench.json bench-quick.json

.venv/%.installed: pyproject.toml constraints.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[$*]'
	@touch $@

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14) and "Python 3.11, 3.12 or 3.13 is needed: make PYTHON=python3.12 ...")'
	@$(PYTHON) -m venv .venv || { rm -rf .venv; echo "This Python cannot make a venv; on Debian: apt install python3-venv"; exit 1; }
