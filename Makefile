# Everything stands on .venv, which is made from requirements.lock when it is missing or older.
# RABBITMQ="4.1 3.13" chooses brokers and ARGS="-k durable" goes to pytest: on make's command line or in the environment.
# REPORT=DIR is where results and pages go.

REPORT ?= report
# CHAPTER="message_ttl routing" puts these chapters to the test, and no others.
CLAIMS := $(if $(CHAPTER),$(CHAPTER:%=tests/test_%.py),tests --ignore=tests/harness)
SABOTAGE ?= all
# These are make's: they reach pytest only where a target passes them on, and not as its own variables of these names.
unexport SABOTAGE STRAIN
# The versions whose results are published.
VERSIONS ?= 3.8 3.10 4.0 4.3
# How many rounds `make soak` has, and how many random moments `make endings`; SEED=… repeats those of an earlier one.
N ?= 50
PYTHON ?= python3
export PYTHON

# Modules, not the scripts in .venv/bin: those name the folder they were made in, and break when it moves.
RUN := .venv/bin/python -m

.DEFAULT_GOAL := help
.PHONY: help claims test sabotage soak endings docs lint format lock clean broker

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

claims: broker ## put every claim to the test
	@$(RUN) pytest $(CLAIMS) --claims-report=$(REPORT) $(ARGS)

test: lint broker ## everything: lint, the suite's own tests, every claim
	@$(RUN) pytest tests -n 4 $(ARGS)

sabotage: broker ## put the claims to the test on brokers that are broken on purpose (SABOTAGE="must" or names, default all)
	@$(RUN) pytest $(CLAIMS) $(addprefix --sabotage=,$(SABOTAGE)) \
		--claims-report=$(REPORT)/sabotage $(ARGS)

soak: broker ## put every claim to the test N times (default 50), under STRAIN="busy latency pulses quota" if you like
	@$(RUN) pytest $(CLAIMS) --rounds=$(N) $(addprefix --strain=,$(STRAIN)) \
		--claims-report=$(REPORT)/soak $(ARGS)

endings: broker ## end pytest at N random moments (default 50): nothing is left, the next run is clean
	@CLAIMS_HARNESS_ENDINGS=$(N) CLAIMS_HARNESS_SEED=$(SEED) $(RUN) pytest -v tests/harness/test_clean_up.py \
		-k random_moment $(ARGS)

lint: .venv/made ## check the catalogue, format, style, types, the workflows and the action
	@$(RUN) pytest --list-claims >/dev/null
	@$(RUN) ruff format --quiet --check .
	@$(RUN) ruff check --quiet .
	@$(RUN) mypy
	@$(RUN) check_jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@$(RUN) check_jsonschema --builtin-schema vendor.github-actions action.yml
	@.venv/bin/zizmor --quiet --offline .

format: .venv/made ## format the code, mend what can be mended
	@$(RUN) ruff format .
	@$(RUN) ruff check --fix .

docs: broker ## put every claim (CHAPTER=… its own) to the test on VERSIONS and broken brokers; publish this in docs/
	@RABBITMQ="$(VERSIONS)" $(RUN) pytest $(CLAIMS) --claims-strict --claims-report=$(REPORT) $(ARGS)
	@RABBITMQ="$(lastword $(VERSIONS))" $(MAKE) sabotage SABOTAGE=must
	@$(RUN) fixtures.report.docs $(REPORT) $(REPORT)/sabotage

lock: .venv/made ## write requirements.lock anew from pyproject.toml; ARGS=--upgrade takes the newest versions
	@.venv/bin/uv pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes \
		--custom-compile-command "make lock" --group dev --output-file requirements.lock $(ARGS) pyproject.toml

clean: ## remove .venv, caches and reports
	@rm -rf .venv .mypy_cache .pytest_cache .ruff_cache report
	@find . -name __pycache__ -prune -exec rm -rf {} +

# On a machine with neither Docker nor a rabbitmq-server, this gets one if it may.
broker: .venv/made
	@fixtures/bootstrap.sh broker

.venv/made: requirements.lock
	@fixtures/bootstrap.sh venv
	@touch $@
