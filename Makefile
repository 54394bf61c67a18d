# Makegood. `make help` lists the targets. Needs Python 3.11 to 3.13 (the embedded PostgreSQL has
# binaries for those) and make; everything else is installed into .venv from the package index.
SHELL := /bin/sh
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && { echo $$p; break; }; done)
BIN := .venv/bin
TOOLING := $(BIN)/python -m tooling
# Two processes share the tests, file by file, in the order that conftest.py gives them.
PARALLEL ?= -n 2 --dist loadfile --no-loadscope-reorder
CODE := config sagas orders inventory payments notifications tooling tests benchmarks
# What `check --deploy` looks at: a production environment with made-up secrets.
PRODUCTION := MAKEGOOD_ENV=production ALLOWED_HOSTS=shop.example PAYMENT_PROVIDER=fake PAYMENT_ALLOW_FAKE=true \
	SECRET_KEY=made-up-7JpRk2vXw9sQz4LdTn8YcHb5GfMa3EuKi6WoVr1Zq5Nt8Py \
	BROKER_URL=redis://broker.example/0 $(foreach d,DATABASE ORDERS_DATABASE INVENTORY_DATABASE PAYMENTS_DATABASE \
	NOTIFICATIONS_DATABASE,$(d)_URL=postgres://makegood@db.example/$(d))

.DEFAULT_GOAL := help
.PHONY: help setup browser bench bench-latency benchmark benchmark-audit screenshots run stop clean distclean demo test lint format types contracts migrations deploy-check diagram coverage soak negative-control fuzz model mutants crash-test ci

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  make %-16s %s\n", $$1, $$2}'

setup: .venv/installed ## make .venv and install the pinned requirements

.venv/installed: requirements.txt requirements-dev.txt
	@test -n "$(PYTHON)" || { echo "Makegood needs Python 3.11, 3.12 or 3.13; none was found. Set PYTHON=/path/to/python."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing the requirements into .venv ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

run: setup ## the whole system in the foreground; prints the URLs and the admin's login
	@$(TOOLING) run

# Without .venv nothing of ours can run, and nothing needs to be installed to say so.
stop: ## stop what run, demo, test or soak left running, and nothing else
	@if test -x $(BIN)/python; then $(TOOLING) stop; else echo "nothing of ours is running"; fi

clean: ## remove the embedded servers' data, and caches
	@if test -x $(BIN)/python; then $(TOOLING) clean; else rm -rf .data; fi

distclean: clean ## the same, and .venv
	rm -rf .venv

demo: setup ## place real checkouts, break things, show what became of each
	@$(TOOLING) demo

# Only root can install Debian's Chromium; anybody else brings one, or the browser tests skip.
browser: ## a Chromium for the console's tests and pictures
	@command -v chromium chromium-browser google-chrome >/dev/null || test -n "$$CHROMIUM" || \
	if test "$$(id -u)" = 0 && command -v apt-get >/dev/null; then \
		echo "installing Chromium ..."; export DEBIAN_FRONTEND=noninteractive; \
		apt-get install -qq -y chromium >/dev/null 2>&1 || { apt-get update -qq && apt-get install -qq -y chromium >/dev/null; } || \
		echo "Chromium could not be installed; the browser tests will be skipped"; \
	else echo "no Chromium; the browser tests will be skipped"; fi

soak: setup ## checkouts while everything breaks, then a reckoning; ARGS="--hours 2 --seed 7"
	@$(TOOLING) soak $(ARGS)

negative-control: setup ## the same on a copy with its guards off: it has to find violations
	@$(TOOLING) soak --guards-off --minutes 2 --patience 60 $(ARGS)

benchmark: setup ## the console at 10 thousand and at 1 million sagas; some minutes and gigabytes
	@$(TOOLING) exec -- $(BIN)/python benchmarks/console.py

benchmark-audit: setup ## the audit at 10 thousand and at 1 million sagas; some minutes and gigabytes
	@$(TOOLING) exec -- $(BIN)/python benchmarks/audit.py

bench: setup ## checkouts a second beside others, and what each costs (docs/performance.md); ARGS="--checkouts 2000"
	@$(BIN)/python benchmarks/throughput.py $(ARGS)

bench-latency: setup ## what shoppers wait for, at rest and under load, one product or many (docs/performance.md)
	@$(BIN)/python benchmarks/latency.py $(ARGS)

crash-test: setup ## let processes die at every crash point; ARGS="--times 25" as often (docs/crash-test.md)
	@$(TOOLING) crash-test $(ARGS)

screenshots: setup browser ## take the pictures of the console again, into docs/console/
	@$(TOOLING) screenshots

test: setup browser ## run the tests on embedded servers; ARGS="-k word" passes words to pytest
	@$(TOOLING) exec -- $(BIN)/python -m pytest $(PARALLEL) $(ARGS)

coverage: ## the same, with the lines and branches of the apps that no test runs
	@$(MAKE) --no-print-directory test ARGS="--cov --cov-report=term:skip-covered $(ARGS)"

fuzz: setup ## fuzz the API by its OpenAPI document; MINUTES=10 SEED=7 (a random one is printed)
	@$(TOOLING) exec -- env FUZZ_MINUTES=$(or $(MINUTES),10) FUZZ_SEED=$(or $(SEED),$(shell od -An -N4 -tu4 /dev/urandom | tr -d ' ')) \
		$(BIN)/python -m pytest tests/test_api_fuzz.py -s $(ARGS)
model: setup ## the model test for longer, each time on new runs; ARGS="--hypothesis-seed=7"
	@$(TOOLING) exec -- $(BIN)/python -m pytest tests/model --hypothesis-profile=model-long --hypothesis-show-statistics $(ARGS)

mutants: setup ## take each guard away and show that a test fails; ARGS="name ..." for some
	@$(TOOLING) exec -- $(BIN)/python -m tooling.mutants $(ARGS)

lint: setup ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: setup ## let ruff mend and format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: setup ## mypy, strict
	$(TOOLING) exec -- $(BIN)/mypy $(CODE)

contracts: setup ## import contracts
	$(BIN)/lint-imports

migrations: setup ## is every model migrated?
	$(TOOLING) exec -- sh -c '$(BIN)/python manage.py migrate_all --verbosity 0 && $(BIN)/python manage.py makemigrations --check --dry-run'

deploy-check: setup ## check --deploy under production settings
	$(PRODUCTION) $(BIN)/python manage.py check --deploy --fail-level WARNING

diagram: setup ## is the picture in docs/ the one that the code draws?
	$(TOOLING) exec -- $(BIN)/python manage.py draw_saga checkout --output docs/checkout-saga.svg --check

ci: lint types contracts migrations deploy-check diagram demo test ## all of it: what CI runs
