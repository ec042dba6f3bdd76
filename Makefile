# What people type. Everything else is CMake: `cmake --preset release && ninja -C build/release`.
JOBS ?= $(shell nproc)
PREFIX ?= /usr/local
CORPUS ?= $(firstword $(wildcard ../shared/corpus))

.PHONY: help build demo test unit integration documents conformance torture fuzz tsan bench lint format install clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build/release/kist
	@scripts/install-dependencies build
	@cmake --preset release >/dev/null
	@ninja -C build/release -j $(JOBS) kist

demo: build ## run an example and look at its artifacts
	@scripts/demo

unit:
	@scripts/install-dependencies test
	@cmake --preset asan >/dev/null
	@ninja -C build/asan -j $(JOBS) unit_tests
	@cd build/asan && ctest --output-on-failure -j $(JOBS)

integration: build
	@scripts/install-dependencies test
	@scripts/python-environment
	@.venv/bin/pytest -q -rs tests/integration

test: unit build ## everything: unit tests under sanitizers, end-to-end tests, conformance, floors
	@scripts/check-floors
	@$(MAKE) --no-print-directory integration
	@$(MAKE) --no-print-directory documents

documents: build ## every YAML and command block of the documents that kist answers to, and what becomes of it
	@scripts/install-dependencies test
	@scripts/python-environment
	@.venv/bin/python tests/conformance/run.py

conformance: documents ## that, and a collection of real workflow files, where it is here: checked and run
	@.venv/bin/python tests/conformance/expected.py
	@.venv/bin/python tests/conformance/corpus.py

torture: ## kill savers and collectors 500 times, and look at what was promised
	@scripts/install-dependencies test
	@cmake --preset debug >/dev/null
	@ninja -C build/debug -j $(JOBS) torture_store
	@build/debug/torture_store --rounds 500 build

fuzz: ## each fuzzer for a minute
	@scripts/install-dependencies fuzz
	@cmake --preset fuzz >/dev/null
	@ninja -C build/fuzz -j $(JOBS)
	@scripts/fuzz 60

tsan: ## what has threads under the thread sanitizer: no data race
	@scripts/install-dependencies test
	@scripts/python-environment
	@cmake --preset tsan >/dev/null
	@ninja -C build/tsan -j $(JOBS)
	@scripts/tsan

bench: ## kist beside its peers, as ratios
	@scripts/install-dependencies bench
	@cmake --preset bench >/dev/null
	@ninja -C build/bench -j $(JOBS)
	@scripts/bench

lint: ## clang-format, clang-tidy, floors, names that are one to a floor
	@scripts/install-dependencies lint
	@scripts/check-floors
	@git ls-files '*.cpp' '*.hpp' | xargs clang-format-19 --dry-run --Werror
	@cmake --preset lint >/dev/null
	@run-clang-tidy-19 -quiet -p build/lint -j $(JOBS) 2>/dev/null

format: ## clang-format every file
	@scripts/install-dependencies lint
	@git ls-files '*.cpp' '*.hpp' | xargs clang-format-19 -i

install: build ## into $(PREFIX): the program, its completions and its manual page
	@cmake --install build/release --prefix $(PREFIX)

clean: ## remove what was built
	@rm -rf build .venv
