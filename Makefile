# Coffer needs Go and nothing else; only compat (Python 3, pip's registry, and
# for some of its clients more) and race (a C compiler) need more.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c

GO ?= go
ARGS ?=
TESTFLAGS ?=
FUZZTIME ?= 10s
BENCH ?= .
BENCHTIME ?= 1s
ROUNDS ?= 500
STEPS ?= 20000000
ONLY ?=
FILES ?= all
LENGTH ?= 1000000
CLIENTS ?= quick
SUITE ?= table
RATE ?=
HOURS ?= 2
LOAD ?= 70
DIR ?=
PEERS ?= $(HOME)/.cache/coffer-bench

ifndef SEED # of make soak, soak-serve and differential
SEED := $(shell od -An -N4 -tu4 /dev/urandom | tr -d ' ')
endif

TOOLS := internal/tools/awsgen internal/tools/amqpgen internal/tools/amqp1gen
FIPS_MODULE ?= v1.0.0
FIPS := $(addprefix ./internal/,seal/... keyring/... policy/... service/kms/... rootkey/...)
CORE := store seal control keyring audit broker protocol/amqp091 protocol/amqp10

.PHONY: help run build build-fips test fips race fuzz bench benchmarks crash damage soak soak-sqs soak-serve \
	differential scale lookup mutants compat deb packages generate

help: ## show the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile

run: build ## build and serve with the data in ./coffer-data; ARGS='--api-port 1'
	bin/coffer serve $(ARGS)

build: ## build bin/coffer
	$(GO) build -o bin/coffer ./cmd/coffer

build-fips: ## build bin/coffer on Go's validated FIPS 140-3 module
	GOFIPS140=$(FIPS_MODULE) $(GO) build -o bin/coffer ./cmd/coffer
	bin/coffer version

test: ## vet, house rules, all tests, and those of the generators
	$(GO) vet ./...
	$(GO) test $(TESTFLAGS) ./internal/tidy
	RAPID_SEED=1 COFFER_CRASH_SEED=1 COFFER_MODEL_STEPS=200000 COFFER_SQS_STEPS=100000 \
		$(GO) test -timeout 1h $(TESTFLAGS) ./...
	$(MAKE) fips
	for dir in $(TOOLS); do $(GO) -C $$dir vet ./... && $(GO) -C $$dir test $(TESTFLAGS) ./...; done

# A bubble of testing/synctest has no clock that the newer module could draw its
# entropy from, so these tests run on the validated one.
fips: ## the tests of keys and policies with nothing but approved cryptography
	GOFIPS140=$(FIPS_MODULE) GODEBUG=fips140=only $(GO) test $(TESTFLAGS) $(FIPS)

race: ## the core's tests under the race detector
	RAPID_SEED=1 COFFER_MODEL_STEPS=20000 $(GO) test -race -short -timeout 1h \
		$(TESTFLAGS) $(CORE:%=./internal/%/...)

fuzz: ## every fuzz target, one after another; FUZZTIME=2m
	@$(GO) test -list '^Fuzz' ./internal/... ./cmd/... | awk \
		'/^Fuzz/ { names[n++] = $$1 } /^ok/ { for (i = 0; i < n; i++) print $$2, names[i]; n = 0 }' \
		| while read -r package target; do \
			echo "== $$package $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$package" </dev/null; \
		done

benchmarks: ## every Go benchmark; BENCH=Start BENCHTIME=10x, BENCH=Revocation BENCHTIME=1x
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchtime $(BENCHTIME) -benchmem ./internal/... ./test/...

# Debian would start the broker that it installs; this one is started by the test.
bench: ## Coffer beside RabbitMQ, into doc/figures; SUITE=growth|sqs RUNS=1 DURATION=1s SHAPES=transient
	@[ '$(SUITE)' != sqs ] || test/bench/peers/install.sh '$(PEERS)'
	@[ '$(SUITE)' != table ] || [ -e /usr/lib/rabbitmq/bin/rabbitmq-server ] || \
		command -v rabbitmq-server >/dev/null || { \
		apt-get update -qq && RUNLEVEL=1 apt-get install -qq -y rabbitmq-server; }
	COFFER_BENCH='$(SUITE)' COFFER_BENCH_RUNS='$(RUNS)' COFFER_BENCH_DURATION='$(DURATION)' \
		COFFER_BENCH_BACKLOG='$(BACKLOG)' COFFER_BENCH_MOST='$(MOST)' \
		COFFER_BENCH_ONLY='$(SHAPES)' COFFER_BENCH_OUT='$(OUT)' COFFER_BENCH_PEERS='$(PEERS)' \
		$(GO) test -count=1 -timeout 6h -v -run '^Test(Table|Growth|Unsealed|SQS)$$' ./test/bench

crash: ## load, kill, restart, drain; nothing confirmed is lost; ROUNDS=50
	COFFER_CRASH_ROUNDS=$(ROUNDS) $(GO) test -count=1 -timeout 12h -v ./test/crash/...

damage: ## damage each file of a data directory in each way; FILES=store/FLOOR
	COFFER_DAMAGE=$(FILES) $(GO) test -count=1 -timeout 6h -v ./test/damage

soak: ## random histories of the queue core against its model; STEPS=1000000 SEED=7
	@echo 'the same again: make soak STEPS=$(STEPS) SEED=$(SEED)'
	RAPID_SEED=$(SEED) COFFER_MODEL_STEPS=$(STEPS) $(GO) test -count=1 -timeout 24h -v \
		-run '^TestModel$$' ./internal/broker/brokertest | grep -v 'OK, passed'

soak-sqs: ## random histories of SQS queues against their model; STEPS=1000000 SEED=7
	@echo 'the same again: make soak-sqs STEPS=$(STEPS) SEED=$(SEED)'
	RAPID_SEED=$(SEED) COFFER_SQS_STEPS=$(STEPS) $(GO) test -count=1 -timeout 24h -v \
		-run '^TestModel$$' ./internal/service/sqs | grep -v 'OK, passed'

soak-serve: OUT = $(CURDIR)/doc/figures
soak-serve: ## the binary under load and disturbances for hours; HOURS=0.2 LOAD=20 DIR=/tmp/soak
	@echo 'the same again: make soak-serve HOURS=$(HOURS) LOAD=$(LOAD) SEED=$(SEED) RATE=$(RATE)'
	COFFER_SOAK=$(HOURS)h COFFER_SOAK_SEED=$(SEED) COFFER_SOAK_LOAD=$(LOAD) COFFER_SOAK_RATE=$(RATE) \
		COFFER_SOAK_DIR=$(DIR) COFFER_SOAK_OUT=$(OUT) \
		$(GO) test -count=1 -timeout 24h -v -run '^TestSoak$$' ./test/soak \
		| sed -u -e 's/^ *[a-z_]*.go:[0-9]*: //' -e 's/^ *|/|/'

differential: STEPS = 20000
differential: ## the same scripts to a real RabbitMQ and to Coffer; STEPS=2000 SEED=7
	@echo 'the same again: make differential STEPS=$(STEPS) SEED=$(SEED)'
	COFFER_DIFFERENTIAL_SEED=$(SEED) COFFER_DIFFERENTIAL_STEPS=$(STEPS) \
		$(GO) test -count=1 -timeout 24h -v ./test/differential

scale: ## long queues, many queues and connections, as tables; LENGTH=10000000
	COFFER_SCALE=$(LENGTH) $(GO) test -count=1 -timeout 2h -v ./test/scale | sed 's/^ *|/|/'

lookup: ## LookupEvents over a million events, as a table; LENGTH=100000
	COFFER_LOOKUP=$(LENGTH) $(GO) test -count=1 -timeout 2h -v -run '^TestLookupScale$$' \
		./internal/service/cloudtrail | sed 's/^ *[a-z_]*.go:[0-9]*: //'

mutants: ## take away one rule at a time and see a test fail; ONLY=fan-out
	$(GO) run ./test/mutants -only '$(ONLY)'

compat: ## other people's clients against the built binary; CLIENTS=all or 'java php'
	COFFER_COMPAT='$(CLIENTS)' test/compat/run.sh

deb: ## build the Debian package into bin
	deploy/debian/build.sh bin

# It takes root on Debian, and debootstrap, systemd-container, debhelper, po-debconf,
# lintian, buildah, podman and crun; a test whose programs are not there is skipped.
packages: ## install and run each way to deploy it, on machines that are made for it
	@test/deploy/install.sh
	COFFER_PACKAGES=1 $(GO) test -count=1 -timeout 1h -v ./test/deploy
	$(GO) -C test/chart vet ./... && $(GO) -C test/chart test ./...

generate: ## write the generated code again
	$(GO) -C internal/tools/awsgen run . -out ../../aws/api
	$(GO) -C internal/tools/amqpgen run . -out ../../protocol/amqp091/wire
	$(GO) -C internal/tools/amqp1gen run . -out ../../protocol/amqp10/wire
