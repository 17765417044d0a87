# Sluice. On a fresh Debian with Go and make:
#   make demo    four MariaDB shards, a proxy and a sample shop; Ctrl-C ends it all
#   make test    everything that is tested, on real servers
#   make soak    a million random statements, then every crash of a migration; it takes most of a day
#   make compat  applications, drivers and tools of others, all of them
SHELL   := /bin/sh
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION)

.PHONY: build demo test test-race test-plain soak soak-statements soak-moves compat check bench bench-full clean fmt

build:
	@mkdir -p bin
	go build -ldflags '$(LDFLAGS)' -o bin/sluice ./cmd/proxy

demo:
	@sh scripts/install.sh demo
	@echo '== building bin/sluice (the first build takes some minutes)'
	@$(MAKE) --no-print-directory build
	@exec bin/sluice demo

# check: what needs no server.
check:
	@echo '== go vet'
	@go vet ./...
	@echo '== staticcheck'
	@go tool staticcheck ./...
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo 'run make fmt'; exit 1; }

test:
	@sh scripts/install.sh test
	@$(MAKE) --no-print-directory check
	@$(MAKE) --no-print-directory -k test-race test-plain

test-race:
	@echo '== tests, with the race detector'
	go test -race -timeout 40m -p 2 ./...

# test-plain: allocations, which the race detector changes, and packets around each edge of 16 MiB, which take it minutes.
test-plain:
	@echo '== tests that want no race detector'
	go test -timeout 10m -p 2 ./wire
	go test -timeout 10m -p 2 -run 'Alloc' ./exec ./session

# soak: what takes hours. SEED repeats a run of either part.
SEED :=

soak: soak-statements soak-moves

# soak-statements: SOAK statements, half on MariaDB and half on Oracle MySQL, each in text and binary protocol. It prints
# the seed, the time, the counts and what was refused, and each difference reduced.
SOAK := 1000000

soak-statements:
	@sh scripts/install.sh test
	SLUICE_SOAK=$(SOAK) SLUICE_SEED=$(SEED) go test -count 1 -timeout 0 -v -run '^TestDiffRandom$$' ./integration

# soak-moves: slots move under traffic, something dies, stands still or is cut off at every step of it (a table says what has
# become of each case; SLUICE_CRASH is an expression that chooses among them), safeguards are left out one by one, and the
# large instances of the model are searched.
soak-moves:
	@sh scripts/install.sh test
	SLUICE_SOAK=1 SLUICE_SEED=$(SEED) go test -count 1 -timeout 0 -v -run '^TestProof' ./integration
	SLUICE_SOAK=1 go test -count 1 -timeout 0 -v ./reshard/model

bench:
	@sh scripts/install.sh bench
	@$(MAKE) --no-print-directory build
	go run ./bench -only sysbench -out bench/RESULTS.md

# bench-full: more works, then transactions, merges, moves and scale; it takes most of an hour.
bench-full:
	@sh scripts/install.sh bench
	@$(MAKE) --no-print-directory build
	go run ./bench -only sysbench -cases all -time 5s -out bench/RESULTS.md
	go run ./bench -only tx
	go run ./bench -only merge
	go run ./bench -only move
	go run ./bench -only overload
	go run ./bench -only scale

# compat: applications, drivers and tools of others; writes docs/COMPATIBILITY.md.
compat:
	@sh scripts/install.sh compat
	@rm -f compat/testdata/matrix.tsv
	SLUICE_COMPAT=all go test -count=1 -timeout 90m -parallel 6 ./compat

fmt:
	gofmt -w $$(git ls-files '*.go')

clean:
	rm -rf bin
