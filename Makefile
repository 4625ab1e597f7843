# SPDX-License-Identifier: Apache-2.0
#
# `make` alone prints the targets. A new clone needs only `make demo` or
# `make test`: both install what they lack (see .ci/setup) and build first.

GO ?= go
export CGO_ENABLED = 1

# What the pattern targets run; all can be set on the command line.
ARGS ?=
ROUNDS ?= 20
SEEDS ?= 5
SEED ?= 1
RUNS ?= 50
FUZZTIME ?= 5s
BENCH ?= .
COUNT ?= 5

# A clone that belongs to somebody else has no version information that git
# would give us; the build must not fail for that.
BUILDVCS := $(shell git rev-parse HEAD >/dev/null 2>&1 && echo auto || echo false)
BUILD := -trimpath -buildvcs=$(BUILDVCS)

# a module of its own, so that what Pebble requires is not required by the switch
PEERS := switch/journal/segment/peers

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup build demo crashtest test lint tidy race sim faults mutants bench bench-iso bench-hsm bench-journal fuzz clean

help: ## print every target with one line
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

setup: ## install what build and tests need (gcc, libc6-dev, softhsm2, tshark, postgresql), only if it is missing
	@.ci/setup

build: setup ## write bin/tapswitch and bin/libp11chaos.so
	@$(GO) build $(BUILD) -o bin/tapswitch ./cmd/tapswitch
	@$$($(GO) env CC) -std=gnu11 -O2 -Wall -Wextra -Werror -shared -fPIC -o bin/libp11chaos.so simulators/p11chaos/module/p11chaos.c -ldl -lpthread

demo: build ## tap cards on a simulated reader through the whole switch: make demo ARGS="--taps 20"
	@bin/tapswitch demo $(ARGS)

crashtest: KILLS = 50
crashtest: SEED = 1
crashtest: JOURNAL = segment
crashtest: build ## kill a switch under load again and again: make crashtest KILLS=200 SEED=7 JOURNAL=postgres ARGS=--json
	@bin/tapswitch crashtest --kills $(KILLS) --seed $(SEED) --journal $(JOURNAL) $(ARGS)

test: build lint ## everything a change must pass: vet, gofmt, staticcheck, all tests, the tree's own rules
	$(GO) test ./...
	$(GO) test -count=1 ./internal/tidy

lint: ## gofmt, go vet and staticcheck
	@unformatted=$$(gofmt -l $$(git ls-files --cached --others --exclude-standard '*.go' 2>/dev/null || echo .)); \
	if [ -n "$$unformatted" ]; then echo "gofmt these files: $$unformatted" >&2; exit 1; fi
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	cd $(PEERS) && CGO_ENABLED=0 $(GO) vet .

tidy: ## the tree's own rules alone (imports, lengths, names, links)
	$(GO) test -count=1 ./internal/tidy

race: ## all tests under the race detector
	$(GO) test -race ./...

# named runs the tests whose names match $(1) and fails when there is none, so
# that a renamed test is noticed.
define named
@found=$$($(GO) test -list '$(1)' ./... | grep -c '^Test'); \
echo "$$found tests named $(1)"; [ "$$found" -gt 0 ]
$(GO) test -count=1 -run '$(1)' ./...
endef

sim: export TAPSWITCH_SEEDS = $(SEEDS)
sim: ## a whole switch with faults, seed by seed, then the tests named Sim or Seed: make sim SEED=1 RUNS=500
	$(GO) run ./cmd/tapswitch simulate world --seed $(SEED) --runs $(RUNS) $$([ $(RUNS) -ge 500 ] && echo --all-arrows)
	$(call named,Sim|Seed)

faults: export TAPSWITCH_ROUNDS = $(ROUNDS)
faults: ## crash and fault tests in larger counts (tests named Crash or Fault): make faults ROUNDS=500
	$(call named,Crash|Fault)

bench: ## benchmarks with allocations: make bench BENCH=View
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem ./...

bench-iso: COUNT = 60
bench-iso: ## the codec beside moov-io/iso8583, and translation, least of COUNT runs: make bench-iso COUNT=100
	@{ $(GO) test ./iso8583 -run '^$$' -bench '^Benchmark(Parse|Build|Subfields)$$' -benchmem -benchtime 0.004s -count $(COUNT); \
	$(GO) test ./switch/translate -run '^$$' -bench '^BenchmarkCross$$' -benchmem -benchtime 0.004s -count $(COUNT); } | awk ' \
	/ns\/op/ { split($$1, part, "/"); moov = $$1 ~ /codec=moov/; cross = part[1] ~ /Cross/; sub(/-[0-9]+$$/, "", part[3]); \
		key = part[1] " " part[2] (cross ? " " part[3] : ""); \
		if (!(key in order)) { order[key] = ++keys; name[keys] = key } \
		if (!((key, moov) in least) || $$3 + 0 < least[key, moov]) least[key, moov] = $$3 + 0; \
		allocs[key, moov] = $$7 } \
	/^cpu:/ && !cpu++ { print } /FAIL/ { print; failed = 1 } \
	END { printf "%-52s %12s %7s %12s %7s %7s\n", "", "tapswitch", "allocs", "moov", "allocs", "ratio"; \
		for (i = 1; i <= keys; i++) { k = name[i]; sub(/^Benchmark/, "", k); k2 = name[i]; \
			printf "%-52s %9.0f ns %7d", k, least[k2, 0], allocs[k2, 0]; \
			if ((k2, 1) in least) printf " %9.0f ns %7d %6.1fx", least[k2, 1], allocs[k2, 1], least[k2, 1] / least[k2, 0]; \
			print "" } \
		exit failed || keys == 0 }'

# what is compared takes turns in many short rounds: a disturbance meets all of it
bench-hsm: ## the HSM driver beside bare miekg/pkcs11 and a C loop, least of 5 COUNT rounds; COUNT runs of 64 callers, on SoftHSM, then 1 ms a call
	@mkdir -p bin && $(GO) test -c -o bin/hsm.test ./hsm/pkcs11
	@cd hsm/pkcs11 && { for round in $$(seq $$((5 * $(COUNT)))); do \
		$(CURDIR)/bin/hsm.test -test.run '^$$' -test.bench '^BenchmarkAlone$$' -test.benchtime 0.05s || echo FAIL; \
	done; $(CURDIR)/bin/hsm.test -test.run '^$$' -test.bench '^Benchmark(Crowd|Slow)$$' -test.benchtime 0.3s -test.count $(COUNT) || echo FAIL; } | awk -f testdata/table.awk

bench-journal: ## the journal beside a bare file and Pebble, recovery, and purchases with and without it, best of COUNT rounds on this folder's disk: make bench-journal COUNT=3
	@mkdir -p bin/disk; for package in recover node; do $(GO) test -c -o bin/$$package.test ./switch/$$package || exit 1; done
	@cd $(PEERS) && CGO_ENABLED=0 $(GO) test -c -o $(CURDIR)/bin/peers.test .
	@for round in $$(seq $(COUNT)); do \
		TMPDIR=$(CURDIR)/bin/disk bin/peers.test -test.run '^$$' -test.bench '^BenchmarkAppend$$' -test.benchtime 0.3s || echo FAIL; \
		TMPDIR=$(CURDIR)/bin/disk bin/recover.test -test.run '^$$' -test.bench '^BenchmarkRecovery$$' -test.benchtime 1x || echo FAIL; \
		TMPDIR=$(CURDIR)/bin/disk bin/node.test -test.run '^$$' -test.bench '^BenchmarkPurchase$$' -test.benchtime 10000x -test.count 2 || echo FAIL; \
	done | awk -f switch/journal/segment/testdata/table.awk

mutants: ## break the switch on purpose, each way of simulators/mutants: the checker must find all: make mutants ARGS="-only 'no-*'"
	@$(GO) run ./simulators/mutants $(ARGS)

fuzz: ## every fuzz target for a short while: make fuzz FUZZTIME=1m
	@$(GO) test -list '^Fuzz' ./... | awk '/^Fuzz/ { t[n++] = $$1 } /^ok/ { for (i = 0; i < n; i++) print $$2, t[i]; n = 0 }' | \
	while read -r package target; do \
		echo "$$package $$target"; \
		$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$package" || exit 1; \
	done

clean: ## remove what make wrote
	rm -rf bin
