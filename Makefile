# Unhidra. `make run` needs Go alone; `make test` installs what else it needs
# where it may, and says what it left out where it may not.

GO      ?= go
RELEASE ?= $(patsubst v%,%,$(shell git describe --tags --exact-match 2>/dev/null))
LDFLAGS  = -s -w -X main.release=$(RELEASE)

# As it is released: without C, and without the names of folders. All that is compiled is compiled alike, and so once.
export CGO_ENABLED ?= 0
export GOFLAGS     := $(GOFLAGS) -trimpath

.PHONY: run demo build test unit integration crash crash-long chaos chaos-ml soak e2e bench bench-cluster fuzz fuzz-api \
	verify-deploy check fmt web web-check tools clean load drills autoscale verify-admission release-notes firmware-test \
	fleet fleet-agents firmware-image \
	model-examples

## run: build the server and start it on http://localhost:9000, this machine only; ML=1: with models, in a Python environment that is made first
run: build
ifdef ML
	python=$$(.ci/ml) && UNHIDRA_BIND_ADDR=127.0.0.1 UNHIDRA_ML=on UNHIDRA_ML_PYTHON=$$python ./bin/unhidra serve
else
	UNHIDRA_BIND_ADDR=127.0.0.1 ./bin/unhidra serve
endif

## demo: a server with two people and a lively greenhouse, to look at, on http://localhost:9000; its data is in demo-data
demo: build
	./bin/unhidra demo

build:
	$(GO) build -ldflags '$(LDFLAGS)' -o bin/unhidra ./cmd/unhidra

## test: set up, then run every test: both stores with the race detector, the crash harness (five kills), web client, browsers, the API
test: tools unit firmware-test web-test e2e
	@.ci/fuzz-api 20 1

tools:
	@.ci/tools

# The race detector, without what it costs in SQLite, which is C translated to Go: it is told of each access to SQLite's
# own memory, which is outside of Go's heap, where it finds no race; and -race also checks arithmetic with pointers.
# And without the packages that compute pictures and compress: no two goroutines share what they work on. The race
# detector itself needs C. A test binary that ends waits for races that are being reported: 50 ms, not a second.
RACETEST = env CGO_ENABLED=1 GORACE='atexit_sleep_ms=50' $(GO) test -vet=off -race '-gcflags=modernc.org/...=-d=checkptr=0' '-gcflags=modernc.org/sqlite/lib=-d=checkptr=0 -race=false' \
	'-gcflags=image/...=-d=checkptr=0 -race=false' '-gcflags=compress/...=-d=checkptr=0 -race=false' '-gcflags=golang.org/x/image/...=-d=checkptr=0 -race=false'

# Tests wait for servers and databases more than they compute: so three packages, and six tests of each, at once; of e2e
# four packages.
# internal/app takes longest, and is begun first. Those of e2e start servers of their own, kill them and look at how long
# something takes: they run after the others, on the disk, and the one that plays Kubernetes runs alone. go vet finds all
# that go test would find again.
unit:
	$(GO) vet ./...
	.ci/in-memory $(RACETEST) -p 3 -parallel 6 -timeout 40m ./internal/app $$($(GO) list ./... | grep -v /e2e/)
	$(RACETEST) -timeout 40m ./e2e/autoscale
	$(RACETEST) -p 4 -timeout 40m $$($(GO) list ./e2e/... | grep -v /e2e/autoscale)
	cd internal/oidc/realtest && $(GO) vet ./... && $(RACETEST) -timeout 20m ./...
	cd internal/blob/realtest && $(GO) vet ./... && $(GO) test -vet=off -timeout 20m ./...

## firmware-test: what runs on devices, with sanitizers and fuzzing in short (part of make test)
firmware-test:
	@if command -v cc >/dev/null; then $(MAKE) --no-print-directory -C firmware test; \
	else echo "the firmware is NOT TESTED, as there is no C compiler (Debian: gcc libc6-dev)" >&2; [ -z "$${CI:-}" ]; fi

## integration: whole servers on SQLite, on PostgreSQL, and as a cluster with NATS: sockets, accounts, devices, chat, history, presence (make test: PostgreSQL without NATS only where a server starts again)
integration:
	UNHIDRA_TEST_LONG=1 $(GO) test -count=1 -timeout 20m ./internal/app ./internal/chat ./internal/history ./internal/natsbus ./e2e/upgrade

## crash: kill the server five times under load, and eight times in a rollout (make test does so too); crash-long: fifty times each
crash:
	$(GO) test -count=1 -timeout 15m ./e2e/crash

crash-long:
	CRASH_KILLS=50 $(GO) test -count=1 -timeout 60m -v ./e2e/crash

## chaos: three nodes under faults of chance for half an hour (make test: the same three minutes each time); repeat a run with CHAOS_SEED
chaos:
	CHAOS_SEED=$${CHAOS_SEED:-$$(date +%s)} CHAOS_SECONDS=$${CHAOS_SECONDS:-1800} $(GO) test -count=1 -timeout 90m -v -run TestChaos ./e2e/chaos

## chaos-ml: workers of models crash, hang, fork and send garbage for five minutes while people chat (make test: each once)
chaos-ml:
	CHAOS_ML_SECONDS=$${CHAOS_ML_SECONDS:-300} $(GO) test -count=1 -timeout 90m -v ./e2e/models

## model-examples: docs/model-examples.md as it stands, with scikit-learn and ONNX Runtime, which it installs into bin
model-examples:
	[ -d bin/digits-env ] || { python3 -m venv bin/digits-env && bin/digits-env/bin/pip install -q \
		$$(sed -n 's/^digits-env.bin.pip install //p' docs/model-examples.md); }
	$(GO) test -count=1 -v -run TestExamplesOfTheDocs ./e2e/models

## drills: lose a node, a database, a disk, a key ..., as docs/drills.md says, and how long each step takes (part of make test)
drills:
	@.ci/drills

## autoscale: nodes come and go under load with the times of the Helm chart, half an hour (make test: a minute, with shorter times)
autoscale:
	UNHIDRA_TEST_LONG=1 $(GO) test -count=1 -timeout 90m -v ./e2e/autoscale

## soak: a server with churn for an hour, drawn to docs/soak.svg (make test: twenty seconds)
soak:
	SOAK_SECONDS=$${SOAK_SECONDS:-3600} SOAK_OUT=$${SOAK_OUT:-$(CURDIR)/docs} $(GO) test -count=1 -timeout 8h -v -run TestSoak ./e2e/soak

## e2e: the story of two people in two browsers
e2e: build
	@.ci/e2e

web-test:
	@.ci/web test

## web: build the web client into web/dist
web:
	@.ci/web build

## bench-cluster: whole servers beside Centrifugo and the bare limits, durable sends, growth; about 40 minutes of a quiet
## machine. BENCH_POSTGRES=postgres://... names a server on which it may make databases, and Centrifugo's binary is built
bench-cluster: build
	@.ci/bench

bench:
	$(GO) test -run '^$$' -bench . -benchtime 20000x ./internal/store/...
	$(GO) test -run '^$$' -bench . -benchtime 1x ./internal/gateway
	$(GO) test -run '^$$' -bench . ./internal/ratelimit ./internal/ws ./internal/fulltext

## fleet: rollouts of good and bad builds over simulated fleets of 10,000 and 100,000 devices (make test: 1,000)
fleet:
	UNHIDRA_FLEET=10000,100000 $(GO) test -count=1 -timeout 60m -v -run TestFleet ./internal/rollout

## fleet-agents: a rollout on 20 agents, which are the firmware as Linux programs and are killed all the time, and 1,000 simulated devices (make test: 4 and 30)
fleet-agents:
	UNHIDRA_AGENTS=20 UNHIDRA_SIMULATED=1000 $(GO) test -count=1 -timeout 30m -v -run TestAFleetOfAgents ./e2e/firmware

## firmware-image: an image for ESP32-C3 that runs the firmware's core, with Wi-Fi and TLS, into bin/firmware-image; and the tests that take it
firmware-image:
	@.ci/firmware-image
	UNHIDRA_FIRMWARE_IMAGES=$(CURDIR)/bin/firmware-image $(GO) test -count=1 -v -run 'TestRealImages' \
		./internal/espimage ./internal/delta ./e2e/firmware

## fuzz: twenty seconds for each fuzz target
fuzz:
	@.ci/fuzz 20s

## fuzz-api: ten minutes of requests made from the OpenAPI document (make test: twenty seconds)
fuzz-api: build
	@.ci/fuzz-api 600

## verify-deploy: everything under deploy/, by the tools that read it in production; STEPS='rules nginx' takes some of it
verify-deploy:
	@.ci/deploy $(STEPS)

## verify-admission: a real kube-apiserver with etcd admits every Kubernetes manifest; both are built once, in ten minutes
verify-admission:
	@.ci/deploy admission

## release-notes: the section of CHANGELOG.md for VERSION, as a release has it (Unreleased: what the next one will say)
release-notes:
	@.ci/notes "$(VERSION)"

## load: load tests with k6, in a short form, against a server of their own (docs/operations.md)
load: build
	@.ci/load

## check: format, lint, known vulnerabilities, generated files
check:
	@.ci/check

fmt:
	gofmt -w $$(git ls-files '*.go')

clean:
	rm -rf bin
