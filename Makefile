# Everything a developer does, by name. `make help` lists it.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -X main.version=$(VERSION)
# Packages whose tests run. A test without -race proves little here.
PKGS ?= ./...

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: up
up: build ## run everything on this machine, with a demo account (ARGS=… for flags)
	@bin/baton up $(ARGS)

.PHONY: demo
demo: build ## play the story against a running `make up`
	@bin/baton demo $(ARGS)

.PHONY: build
build: ## build bin/baton
	@mkdir -p bin
	@tools/progress "building bin/baton" go build -ldflags '$(LDFLAGS)' -o bin/baton ./cmd/baton

.PHONY: test
test: bin/temporal lint verify ## all checks: lint, generated files, every test with -race
	@tools/progress "building bin/baton" go build -ldflags '$(LDFLAGS)' -o bin/baton ./cmd/baton
	bin/baton devstack -- go test -race -timeout 20m $(PKGS)

.PHONY: lint
lint: bin/golangci-lint bin/workflowcheck ## check style, layers, and that workflows are deterministic
	bin/golangci-lint run
	bin/workflowcheck ./workflows/...

.PHONY: generate
generate: bin/oapi-codegen ## write the generated files anew
	go generate ./...

.PHONY: verify
verify: generate ## fail when a generated file is not what would be generated
	@git diff --exit-code --stat -- api/gen api/client docs/configuration.md || \
		{ echo "generated files are stale: run 'make generate' and commit"; exit 1; }
	@go mod tidy -diff

.PHONY: web
web: web/node_modules ## build the console anew from web/src (takes Node 20.19 or later)
	@cd web && npm run --silent types >/dev/null && npm run --silent format && npm run --silent build

# Not part of `make test`: what is built of the console is committed, so Go alone
# builds and tests everything else.
.PHONY: test-web
test-web: web/node_modules bin/temporal build ## check the console: lint, drift, logic, and in Chromium against a real Baton
	@cd web && npm run --silent lint && npm run --silent types >/dev/null && npm run --silent build
	@git diff --exit-code --stat -- web/dist web/src/api/schema.gen.ts && test -z "$$(git status --porcelain -- web/dist)" || \
		{ echo "what is built of the console is stale: run 'make web' and commit"; exit 1; }
	@cd web && npm run --silent test && ../bin/baton devstack -- npm run --silent e2e

.PHONY: measure-web
measure-web: web/node_modules bin/temporal build ## measure the console's long tasks and size (ROWS=…, EVENTS=…, SECONDS=…, THROTTLE=…, DETAIL=1)
	@cd web && export MEASURE=1 NO_COLOR=1 && npm run --silent build >/dev/null && npm run --silent test -- src/dist.test.ts | grep 'script of' && \
		../bin/baton devstack -- npm run --silent e2e -- e2e/measure.test.ts | grep -E 'longest|^  [0-9]|×|Error'

web/node_modules: web/package-lock.json
	@tools/progress "fetching what the console is built with" npm --prefix web ci --silent --no-audit --no-fund
	@touch $@

.PHONY: fmt
fmt: bin/golangci-lint ## format the code
	bin/golangci-lint fmt

.PHONY: bench
bench: build bin/temporal bin/temporal-server bin/temporal-sql-tool ## measure Baton against its floors (ARGS='--temporal sqlite --only claim')
	@tools/progress "building bin/bench" go build -ldflags '$(LDFLAGS)' -o bin/bench ./cmd/bench
	@bin/bench $(ARGS)

.PHONY: redaction
redaction: ## print recall and precision of redaction on its corpus, and its speed
	@go test -count=1 -run Corpus -v ./internal/redact | sed -n 's/^ *corpus_test.go:[0-9]*: //p'
	@go test -run '^$$' -bench Text -cpu 1 ./internal/redact | grep MB/s

.PHONY: microbench
microbench: ## run the Go benchmarks of single functions
	go test -run '^$$' -bench . -benchmem $(PKGS)

.PHONY: chaos
chaos: bin/temporal build bin/baton-old ## break a whole Baton and check its promises (ARGS=… for flags, --help lists them)
	@tools/progress "building bin/chaos" go build -o bin/chaos ./cmd/chaos
	@bin/chaos --old-baton bin/baton-old $(ARGS)

.PHONY: chaos-guards
chaos-guards: bin/temporal ## take each guard out of Baton, one at a time, and see that chaos notices
	BATON_CHAOS_GUARDS=all go test -race -count=1 -v -timeout 60m -run TestGuards ./internal/chaos

.PHONY: bin/baton-old
bin/baton-old:
	@tools/old-build $@

.PHONY: kills
kills: bin/temporal ## kill a hundred workers between a PSA's commit and our acknowledgement (KILLS=…, SEED=…)
	BATON_TEST_KILLS=$(or $(KILLS),100) BATON_TEST_SEED=$(SEED) go run ./cmd/baton devstack -- \
		go test -race -count=1 -v -timeout 30m -run TestAKilledWorkerTellsATicketOnce ./internal/app

.PHONY: storm
storm: bin/temporal ## announce 500 handoffs while workers are killed, and count who was told (HANDOFFS=…, SEED=…)
	BATON_TEST_STORM=$(or $(HANDOFFS),500) BATON_TEST_SEED=$(SEED) go run ./cmd/baton devstack -- \
		go test -race -count=1 -v -timeout 40m -run TestNotificationsInAStorm ./internal/app

.PHONY: fuzz
fuzz: ## let each fuzz target run for FUZZTIME (default 30s)
	@tools/fuzz $(or $(FUZZTIME),30s)

.PHONY: histories
histories: bin/temporal ## record the workflow histories that the replay tests replay
	go run ./cmd/baton devstack -- go test -run TestRecord -count 1 ./internal/app -args -record

.PHONY: clean
clean: ## remove what was built, and the data of `make up`
	rm -rf bin .baton

# The tools, at the versions that tools/go.mod pins.
TOOL_golangci-lint := github.com/golangci/golangci-lint/v2/cmd/golangci-lint
TOOL_oapi-codegen  := github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen
TOOL_workflowcheck := go.temporal.io/sdk/contrib/tools/workflowcheck

bin/golangci-lint bin/oapi-codegen bin/workflowcheck: bin/%: tools/go.mod
	@mkdir -p bin
	@tools/progress "building bin/$*" go -C tools build -o ../bin/$* $(TOOL_$*)

bin/temporal: tools/temporal/go.mod
	@mkdir -p bin
	@tools/progress "building bin/temporal, the Temporal dev server (minutes, once)" \
		go -C tools/temporal build -o ../../bin/temporal github.com/temporalio/cli/cmd/temporal

bin/temporal-server: tools/temporal/go.mod
	@mkdir -p bin
	@tools/progress "building bin/temporal-server, Temporal for PostgreSQL (minutes, once)" \
		go -C tools/temporal build -o ../../bin/temporal-server go.temporal.io/server/cmd/server

bin/temporal-sql-tool: tools/temporal/go.mod
	@mkdir -p bin
	@tools/progress "building bin/temporal-sql-tool" \
		go -C tools/temporal build -o ../../bin/temporal-sql-tool go.temporal.io/server/cmd/tools/sql
