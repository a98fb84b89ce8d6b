# What people and CI call. Every target is one line; the work is in pipelines/ and repro/.
#   SYSTEMS="a b"  MODELS="m"  DATA=path|embedded  PROTOCOL=probe|paper  ISA=baseline|avx2|avx512|onednn-off
#   DEVICE=cpu|cuda  RESULTS=folder  CHECKPOINT=file  CERTIFY=yes  ARITHMETIC=native|canonical|both
#   retrain: SYSTEM=name  MODEL=name  RECIPE=name  EPOCHS=n  BATCH=n  SEEDS=n  IMAGES=n  START=file|random  PROCESSES=n
#            SET="name=value ..."
PYTHON ?= python3.11
RESULTS ?= results
DEVICE ?= cpu
BIN := .venv/bin
STACKS := .venv/.ready .venv-tensorflow/.ready
RUN := $(BIN)/python -m pipelines
OPTIONS = systems="$(SYSTEMS)" models="$(MODELS)" data="$(DATA)" protocol="$(PROTOCOL)" isa="$(ISA)" device="$(DEVICE)" results="$(RESULTS)" checkpoint="$(CHECKPOINT)" certify="$(CERTIFY)" arithmetic="$(ARITHMETIC)" steps="$(STEPS)"

.DEFAULT_GOAL := help
.PHONY: help setup check-rep eval-downloaded retrain report test test-all lint format bench locks clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STACKS) ## both environments, from the locks; quick when nothing changed

check-rep: $(STACKS) ## does this machine compute the bits that others recorded? DATA= SYSTEMS= ISA= PROTOCOL= STEPS=
	@$(RUN) check-rep $(OPTIONS)

eval-downloaded: $(STACKS) ## fetch the published checkpoints and evaluate them (CHECKPOINT= for a file at hand)
	@$(RUN) eval-downloaded $(OPTIONS)

retrain: $(STACKS) ## train anew: SYSTEM= DATA= [MODEL= RECIPE= EPOCHS= BATCH= SEEDS=3 IMAGES= START= PROCESSES= SET=]
	@$(RUN) retrain $(OPTIONS) system="$(SYSTEM)" model="$(MODEL)" recipe="$(RECIPE)" epochs="$(EPOCHS)" batch="$(BATCH)" seeds="$(SEEDS)" set="$(SET)" images="$(IMAGES)" start="$(START)" processes="$(PROCESSES)"

report: $(STACKS) ## merge what was run into one report: results/report/
	@$(RUN) report $(OPTIONS)

test: $(STACKS) ## the fast tests
	@$(BIN)/python -m pytest -q -n 2

test-all: $(STACKS) ## all tests, the slow ones too
	@$(BIN)/python -m pytest -q -n 2 -m "slow or not slow"

lint: $(STACKS) ## ruff and mypy
	@$(BIN)/ruff check && $(BIN)/ruff format --check && $(BIN)/mypy

format: $(STACKS) ## let ruff format the code
	@$(BIN)/ruff check --fix && $(BIN)/ruff format

bench: $(STACKS) ## ratios against a baseline run beside it
	@$(BIN)/python -m repro.bench

locks: ## compile the locks anew from their .in files (needs uv)
	@for stack in torch tensorflow; do uv pip compile -q --python-version 3.11 --no-annotate --no-header pipelines/stacks/$$stack.in -o pipelines/stacks/$$stack.txt; done

clean: ## remove the environments and results
	@rm -rf .venv .venv-tensorflow $(RESULTS) .snakemake

.venv/.ready: pipelines/stacks/torch.txt pyproject.toml
	@sh pipelines/stacks/install.sh "$(PYTHON)" torch .venv

.venv-tensorflow/.ready: pipelines/stacks/tensorflow.txt pyproject.toml
	@sh pipelines/stacks/install.sh "$(PYTHON)" tensorflow .venv-tensorflow
