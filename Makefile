# People and CI use the same targets. `make` alone prints the list.
.DEFAULT_GOAL := help
.PHONY: help run run-stepfunctions test test-all test-slow soak add remove list extract build audit reconcile backfill replay drop doctor docs docs-serve lint \
  format sandbox bench lock clean infra-check image-check plan deploy run-aws logs destroy

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
TERRAFORM ?= terraform
# A worker for each core, and whole files for each worker: their fixtures are expensive.
PYTEST := $(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

# Settings of one's own come from .env, those of the environment and the command line go before; as long as there is
# no .env, and for the target sandbox, the demo sources are started.
SETTINGS := [ ! -f .env ] || { given=$$(export -p); set -a; . ./.env; set +a; eval "$$given"; };
SOURCES := $(if $(and $(wildcard .env),$(filter-out sandbox,$(or $(DBT_TARGET),local))),,$(BIN)/python -m sandbox run --)

help:  ## Print this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' Makefile

run: $(READY)  ## The whole pipeline: extract, dbt build, docs, summary (starts the demo sources if there is no .env)
	@$(SETTINGS) $(SOURCES) $(BIN)/python -m extract run --build

run-stepfunctions: $(READY)  ## The same as AWS runs it: the state machine, on the stand-ins (INPUT='{"sources": ["postgres"]}')
	@$(BIN)/python -m sandbox stepfunctions $(if $(INPUT),--input '$(INPUT)')

test: $(READY)  ## Unit and integration tests and one whole pipeline per target: about five minutes
	$(PYTEST) -m "not slow"

test-all: test test-slow  ## Every test

test-slow: $(READY)  ## The tests that test-all adds to test
	$(PYTEST) -m slow

soak: $(READY)  ## Tests that draw their cases or kill at random moments, with SOAK=20 times as many as in test-all
	SOAK=$(or $(SOAK),20) $(PYTEST) -m soak

add: $(READY)  ## Declare a table and write its models: SOURCE=postgres TABLE=vendas.cliente (or 'public.*'; KEY= MODE= NAME= KIND= UPDATE=1)
	@$(SETTINGS) $(SOURCES) $(BIN)/python -m extract add "$$SOURCE" "$$TABLE" $${KIND:+--kind "$$KIND"} $${KEY:+--key "$$KEY"} \
	  $${MODE:+--mode "$$MODE"} $${NAME:+--name "$$NAME"} $${ONLY_RAW:+--only-raw} $${UPDATE:+--update}

remove: $(READY)  ## Remove a table and its models: TABLE=postgres.cliente, or the demo: DEMO=1
	@$(BIN)/python -m extract remove $${TABLE:+"$$TABLE"} $${DEMO:+--demo}

list: $(READY)  ## List the declared tables and their models
	@$(BIN)/python -m extract list

extract: $(READY)  ## Only load the sources into the raw schemas; then plain `dbt build` works
	@$(SETTINGS) $(SOURCES) $(BIN)/python -m extract run

build: $(READY)  ## Bronze and silver with their tests, docs and audit; FULL_REFRESH=1 builds incremental models anew
	@$(SETTINGS) $(BIN)/python -m extract build $(if $(FULL_REFRESH),--full-refresh)

audit: $(READY)  ## Is every row accounted for: source, raw, bronze, silver
	@$(SETTINGS) $(SOURCES) $(BIN)/python -m extract audit

reconcile: $(READY)  ## Compare the sources' keys with those loaded and load what differs
	@$(SETTINGS) $(SOURCES) $(BIN)/python -m extract reconcile

backfill: $(READY)  ## Read a range once more: SOURCE=postgres TABLE=venda FROM=2024-01-01 TO=2024-12-31
	@$(SETTINGS) $(SOURCES) $(BIN)/python -m extract backfill --source $(SOURCE) --table $(TABLE) --from $(FROM) --to $(TO)

replay: $(READY)  ## Load what is in the landing once more, or with DEAD_LETTERS=1 the rows that did not fit: SOURCE= TABLE=
	@$(SETTINGS) $(SOURCES) $(BIN)/python -m extract replay --source $(SOURCE) --table $(TABLE) $(if $(DEAD_LETTERS),--dead-letters)

drop: $(READY)  ## Check a Parquet file and put it into the drop under today's date: make drop FILE=categoria.parquet
	@$(SETTINGS) $(SOURCES) $(BIN)/python -m extract drop "$(FILE)"

doctor: $(READY)  ## Check settings, sources and warehouse, and say how to mend what is wrong; changes nothing
	@$(SETTINGS) $(SOURCES) $(BIN)/python -m extract doctor

docs: $(READY)  ## Build the docs site as one HTML file and say where it is
	@$(SETTINGS) $(BIN)/dbt --quiet docs generate --static
	@echo "docs: target/static_index.html"

docs-serve: docs  ## Serve the docs site on http://127.0.0.1:8080
	@$(SETTINGS) $(BIN)/dbt docs serve --host 127.0.0.1 --port 8080

lint: $(READY)  ## Check style, types, SQL, spelling and vocabulary
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	WAREHOUSE_PATH=:memory: $(BIN)/sqlfluff lint --disable-progress-bar models $(wildcard tests/data)
	git ls-files -z | xargs -0 $(BIN)/codespell
	$(BIN)/python tests/lint/check_words.py

format: $(READY)  ## Fix what ruff and sqlfluff can fix
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	WAREHOUSE_PATH=:memory: $(BIN)/sqlfluff fix --disable-progress-bar models $(wildcard tests/data)

sandbox: $(READY)  ## The demo sources in the foreground, with the settings to connect to them
	@$(BIN)/python -m sandbox up

bench: .venv/.bench  ## Measure speed and memory on this machine, beside other tools where they install: BENCH_ROWS=1000000,5000000
	@$(MAKE) --no-print-directory .venv-peers/.ready || echo "the other tools do not install here: left out"
	@$(BIN)/python -m bench

infra-check: .venv-infra/.ready  ## Terraform: format, validity, tests with mocks, checkov; no account, nothing is applied
	@TERRAFORM=$(TERRAFORM) infra/check

lock: $(READY)  ## Upgrade the lock files in requirements/ from the dependency groups in pyproject.toml
	for group in dev runtime container infra bench peers; do \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --no-header --no-annotate --no-strip-extras --upgrade --group $$group -o requirements/$$group.txt \
	    $$(case $$group in (runtime|container|bench) echo --constraints requirements/dev.txt;; esac) || exit 1; \
	done

clean:  ## Remove the demo and everything built; with an .env, the warehouse stays
	@[ ! -x $(BIN)/python ] || $(BIN)/python -m sandbox clean
	rm -rf target logs $(if $(wildcard .env),,.local)

image-check: $(READY)  ## Lint the Dockerfile; where there is Docker or buildah, build the image and run the pipeline in it
	$(BIN)/hadolint Dockerfile
	@DBT_TARGET=sandbox $(BIN)/python -m sandbox run -- $(BIN)/python .ci/check_image.py

plan: $(READY)  ## What `make deploy` would change in AWS; docs/aws.md begins at an empty account
	@$(SETTINGS) $(BIN)/python -m deploy plan

deploy: $(READY)  ## Build and push the image of this commit and apply infra/; asks, unless YES=1
	@$(SETTINGS) $(BIN)/python -m deploy up $(if $(YES),--yes)

run-aws: $(READY)  ## Run the pipeline in AWS and follow it to its end: make run-aws INPUT='{"sources": ["postgres"]}'
	@$(SETTINGS) $(BIN)/python -m deploy run $(if $(INPUT),--input '$(INPUT)')

logs: $(READY)  ## The log of the tasks in AWS, of the last hour and on until Ctrl-C
	@$(SETTINGS) $(BIN)/python -m deploy logs

destroy: $(READY)  ## Remove everything that was deployed; asks
	@$(SETTINGS) $(BIN)/python -m deploy destroy

infra/node_modules: infra/package-lock.json  # the validator of the state machine; a test skips itself without
	npm ci --prefix infra --ignore-scripts --no-audit --no-fund
	@touch $@

$(READY): requirements/dev.txt packages/redshift-standin/pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or later is needed, $(PYTHON) is older; say which to use: make PYTHON=python3.12 …"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "This Python has no venv module; on Debian: apt-get install python3-venv"; exit 1; }
	@echo "Making .venv (once, a minute or two)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e packages/redshift-standin
	@touch $@

.venv/.bench: $(READY) requirements/bench.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bench.txt
	@touch $@

.venv-peers/.ready: requirements/peers.txt  # the list is whole; pip would miss the pin of a package named with an extra
	@echo "Making .venv-peers (once, some minutes)"
	@$(PYTHON) -m venv .venv-peers
	@.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/peers.txt
	@touch $@

.venv-infra/.ready: requirements/infra.txt
	@$(PYTHON) -m venv .venv-infra
	@.venv-infra/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/infra.txt
	@touch $@
