# People and CI use the same targets. `make` alone prints the list.
.DEFAULT_GOAL := help
.PHONY: help run run-stepfunctions test test-all test-standin test-slow conformance soak add remove list extract build audit reconcile backfill replay drop doctor docs docs-serve lint \
  format sandbox bench lock clean infra-check image-check scan plan deploy drift run-aws logs destroy

# What a recipe uses, and everything on the command line, reaches a command through the environment, as it was typed:
# neither make nor a shell runs what is in it. A recipe quotes its use: "$$FILE".
ARGUMENTS := FILE INPUT CMD SOURCE TABLE FROM TO KIND KEY MODE CURSOR NAME SOAK \
  ONLY_RAW UPDATE DEMO FULL_REFRESH DEAD_LETTERS YES PYTHON TERRAFORM
TYPED := $(foreach name,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $(name)))),$(name)))
EXPORTED := $(foreach name,$(ARGUMENTS),$(if $(filter environment,$(firstword $(origin $(name)))),$(name)))
$(foreach name,$(sort $(TYPED) $(EXPORTED)),$(eval override export $(name) := $$(value $(name))))

export PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
# The scripts that pip writes do not start by themselves in a folder with a blank and a $ in its path.
SCRIPT := $(BIN)/python $(BIN)
# A worker for each core, and whole files for each worker: their fixtures are expensive. A worker that is lost at a test
# ends the run: another one would start the same file again, and be lost at the same test.
PYTEST := $(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder --max-worker-restart 0

# A setting of the environment or the command line takes precedence over .env. Which sources a command gets, the demo's
# or your own, is decided by `python -m sandbox run` alone.
SETTINGS := [ ! -f .env ] || { $(BIN)/python -m extract.env_file .env && given=$$(export -p) && set -a && . ./.env \
  && set +a && eval "$$given"; } || exit 2;
RUN := $(SETTINGS) exec $(BIN)/python -m sandbox run --

missing = $(strip $(foreach name,$(1),$(if $(value $(name)),,$(name))))
require = $(if $(call missing,$(1)),@echo "make $@ needs $(call missing,$(1)): for example make $@ $(2)" >&2; exit 2)
# An option with the value of a variable of the command line; one of the environment, such as NAME, may mean another thing.
given = $(if $(filter $(1),$(TYPED)),--$(2) "$$$(1)")

help:  ## Print this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' Makefile
	@echo "make ends with 0 or 2; its last line has the exit code of the command itself (Error 1, 2 or 130)."

run: $(READY)  ## Run the whole pipeline: extract, dbt build, docs, summary, report; with the demo sources unless yours are set
	@$(RUN) $(BIN)/python -m extract run --build

run-stepfunctions: $(READY)  ## Run the pipeline as AWS does, by its state machine, on stand-ins: INPUT= or CMD= as run-aws
	@$(SETTINGS) exec $(BIN)/python -m sandbox stepfunctions $(if $(INPUT),--input "$$INPUT") $(call given,CMD,command)

test: $(READY)  ## Unit and integration tests and one whole pipeline per target
	$(PYTEST) -m "not slow" tests/python

test-all: test test-standin test-slow  ## Every test

test-standin: $(READY)  ## The tests of the Redshift stand-in's package alone
	$(PYTEST) packages/redshift-standin/tests

test-slow: $(READY)  ## Variations of what test covers, and faults on the way to Redshift
	$(PYTEST) -m slow tests/python

conformance: $(READY)  ## Compare the Redshift stand-in with Redshift's guide, and run other projects' suites from CONFORMANCE_CHECKOUTS
	@$(BIN)/python packages/redshift-standin/conformance

soak: $(READY)  ## Tests that draw their cases or kill at random moments, with SOAK=20 times as many as in test-all
	SOAK="$${SOAK:-20}" $(PYTEST) -m soak

add: $(READY)  ## Declare a table and write its models: SOURCE=postgres TABLE=vendas.cliente (or 'public.*'; KEY= MODE= CURSOR= NAME= KIND=)
	$(call require,SOURCE TABLE,SOURCE=postgres TABLE=vendas.cliente)
	@$(RUN) $(BIN)/python -m extract add $(call given,KIND,kind) $(call given,KEY,key) $(call given,MODE,mode) \
	  $(call given,CURSOR,cursor) $(call given,NAME,name) $(if $(ONLY_RAW),--only-raw) $(if $(UPDATE),--update) -- "$$SOURCE" "$$TABLE"

remove: $(READY)  ## Remove a table and its models: TABLE=postgres.cliente, or with DEMO=1 the demo
	@$(BIN)/python -m extract remove $(if $(DEMO),--demo) -- $(if $(TABLE),"$$TABLE")

list: $(READY)  ## List the declared tables and their models
	@$(BIN)/python -m extract list

extract: $(READY)  ## Load the sources into the raw schemas, and nothing else
	@$(RUN) $(BIN)/python -m extract run

build: $(READY)  ## Build bronze, silver and gold with tests, docs, audit and report; FULL_REFRESH=1 rebuilds incremental models
	@$(RUN) $(BIN)/python -m extract build $(if $(FULL_REFRESH),--full-refresh)

audit: $(READY)  ## Check that every row is accounted for: source, raw, bronze, silver
	@$(RUN) $(BIN)/python -m extract audit

report: $(READY)  ## Write target/report.html: sales, and the runs of the pipeline
	@$(RUN) $(BIN)/python -m extract report

reconcile: $(READY)  ## Compare the keys of the sources with those loaded, and load what differs
	@$(RUN) $(BIN)/python -m extract reconcile

backfill: $(READY)  ## Read a range of a table again: SOURCE=postgres TABLE=venda FROM=2024-01-01 TO=2024-12-31
	$(call require,SOURCE TABLE FROM TO,SOURCE=postgres TABLE=venda FROM=2024-01-01 TO=2024-12-31)
	@$(RUN) $(BIN)/python -m extract backfill --source "$$SOURCE" --table "$$TABLE" --from "$$FROM" --to "$$TO"

replay: $(READY)  ## Load a table from the landing again, or with DEAD_LETTERS=1 its dead letters: SOURCE=postgres TABLE=venda
	$(call require,SOURCE TABLE,SOURCE=postgres TABLE=venda DEAD_LETTERS=1)
	@$(RUN) $(BIN)/python -m extract replay --source "$$SOURCE" --table "$$TABLE" $(if $(DEAD_LETTERS),--dead-letters)

drop: $(READY)  ## Check a Parquet file and put it into the drop under today's date: FILE=categoria.parquet
	$(call require,FILE,FILE=categoria.parquet)
	@$(RUN) $(BIN)/python -m extract drop -- "$$FILE"

doctor: $(READY)  ## Check settings, sources and warehouse, and print how to fix what is wrong; changes nothing
	@$(RUN) $(BIN)/python -m extract doctor

docs: $(READY)  ## Build the docs site as one HTML file
	@$(RUN) $(SCRIPT)/dbt --quiet docs generate
	@$(SETTINGS) exec $(BIN)/python -m extract.transform.docs_page

docs-serve: docs  ## Build the docs site and serve it on http://127.0.0.1:8080
	@$(SETTINGS) $(SCRIPT)/dbt docs serve --host 127.0.0.1 --port 8080

screenshot: $(READY)  ## Take docs/report.png, the picture of the report in the README; needs Chromium and make run
	@chromium="$$(command -v chromium || command -v chromium-browser || command -v google-chrome)" || \
	  { echo "make screenshot needs Chromium: install the package chromium" >&2; exit 2; }; \
	$(SETTINGS) "$$chromium" --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size=1280,825 \
	  --blink-settings=preferredColorScheme=1 --virtual-time-budget=20000 --user-data-dir="$$PWD/.local/chromium" \
	  --screenshot=docs/report.png "file://$$PWD/$${DBT_TARGET_PATH:-target}/report.html" 2> /dev/null

lint: $(READY)  ## Check style, types, SQL, spelling and vocabulary
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(SCRIPT)/mypy
	WAREHOUSE_PATH=:memory: $(SCRIPT)/sqlfluff lint --disable-progress-bar models $(wildcard tests/data)
	git ls-files -z | xargs -0 $(SCRIPT)/codespell
	$(BIN)/python tests/lint/check_words.py

format: $(READY)  ## Fix what ruff and sqlfluff can fix
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	WAREHOUSE_PATH=:memory: $(SCRIPT)/sqlfluff fix --disable-progress-bar models $(wildcard tests/data)

sandbox: $(READY)  ## Run the demo sources in the foreground and print the settings to connect to them
	@$(BIN)/python -m sandbox up

bench: .venv/.bench  ## Measure speed and memory on this machine, and those of other tools: BENCH_ROWS=1000000,5000000
	@$(MAKE) --no-print-directory .venv-peers/.ready || echo "the other tools cannot be installed here: skipped"
	@$(BIN)/python -m bench

infra-check: .venv-infra/.ready  ## Check the Terraform: format, validity, tests with mocks, checkov; needs no AWS account
	@infra/check

lock: $(READY)  ## Upgrade the lock files in requirements/ from the dependency groups in pyproject.toml
	for group in dev runtime container infra bench peers; do \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --no-header --no-annotate --no-strip-extras --upgrade --group $$group -o requirements/$$group.txt \
	    $$(case $$group in (runtime|container|bench) echo --constraints requirements/dev.txt;; esac) || exit 1; \
	done

clean:  ## Remove the demo (sources and warehouse) and everything built; with an .env, keep the warehouse
	@[ ! -x $(BIN)/python ] || $(BIN)/python -m sandbox clean
	rm -rf target logs $(if $(wildcard .env),,.local)

image-check: $(READY)  ## Lint the Dockerfile; with Docker or buildah, build the image and run the pipeline in it
	$(BIN)/hadolint Dockerfile
	@DBT_TARGET=sandbox $(BIN)/python -m sandbox run -- $(BIN)/python .ci/check_image.py

scan: .venv-infra/.ready  ## Look for known vulnerabilities in the image's Python packages; asks PyPI
	@.venv-infra/bin/python -m pip_audit --strict --progress-spinner off --require-hashes --disable-pip -r requirements/container.txt

plan: $(READY)  ## Show what `make deploy` would change in AWS, with SAVE=1 for later; docs/guide/aws.md starts at an empty account
	@$(SETTINGS) $(BIN)/python -m deploy plan $(if $(SAVE),--save)

deploy: $(READY)  ## Build and push the image of this commit and apply infra/; asks first, unless YES=1, or PLAN= of make plan SAVE=1
	@$(SETTINGS) $(BIN)/python -m deploy up $(if $(YES),--yes) $(call given,PLAN,plan)

drift: $(READY)  ## Compare AWS with what was deployed; fails if somebody has changed it
	@$(SETTINGS) $(BIN)/python -m deploy drift

run-aws: $(READY)  ## Run the pipeline in AWS and follow it: INPUT='{"sources": ["postgres"]}', or one command: CMD="reconcile"
	@$(SETTINGS) $(BIN)/python -m deploy run $(if $(INPUT),--input "$$INPUT") $(call given,CMD,command)

logs: $(READY)  ## Print the log of the tasks in AWS: the last hour, then new lines until Ctrl-C
	@$(SETTINGS) $(BIN)/python -m deploy logs

destroy: $(READY)  ## Remove everything that was deployed; asks first
	@$(SETTINGS) $(BIN)/python -m deploy destroy

infra/node_modules: infra/package-lock.json  # the validator of the state machine; its test is skipped without
	npm ci --prefix infra --ignore-scripts --no-audit --no-fund
	@touch $@

# Shows on a terminal which package pip has come to; ends with pip's exit code.
define INSTALL_PROGRESS
/^Collecting / && terminal {printf "\r  downloading %d of about %d: %-40.40s", ++done, all, $$2; fflush()}
/^Installing collected/ && terminal {printf "\r  installing %d packages%40s\n", done, ""; fflush()}
/^code / {code = $$2} END {exit code}
endef
export INSTALL_PROGRESS

$(READY): requirements/dev.txt packages/redshift-standin/pyproject.toml
	@[ -w . ] || { echo "This folder is read-only: clone the repository into one that you can write to"; exit 1; }
	@"$$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or later is needed, $$PYTHON is older; name another: make PYTHON=python3.12 …"; exit 1; }
	@"$$PYTHON" -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "This Python has no venv module; on Debian: apt-get install python3-venv"; exit 1; }
	@echo "Creating .venv (once, a minute or two)"
	@"$$PYTHON" -m venv .venv
	@{ $(BIN)/python -m pip install --disable-pip-version-check --require-hashes -r requirements/dev.txt; echo "code $$?"; } \
	  | awk -v all="$$(grep -c == requirements/dev.txt)" -v terminal="$$([ -t 2 ] && echo 1)" "$$INSTALL_PROGRESS"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e packages/redshift-standin
	@touch $@

.venv/.bench: $(READY) requirements/bench.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bench.txt
	@touch $@

.venv-peers/.ready: requirements/peers.txt  # the list is whole; pip would miss the pin of a package named with an extra
	@echo "Creating .venv-peers (once, some minutes)"
	@"$$PYTHON" -m venv .venv-peers
	@.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/peers.txt
	@touch $@

.venv-infra/.ready: requirements/infra.txt
	@"$$PYTHON" -m venv .venv-infra
	@.venv-infra/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/infra.txt
	@touch $@
