# `make` alone lists what there is.
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-gssapi soak conformance bench bench-large bench-outage bench-smoke check fmt fmt-check clippy deny

CARGO ?= cargo
# openldap, active-directory or 389ds: the directory that `make demo` starts.
DIRECTORY ?= openldap

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: ## install the servers that demo, test and bench start (Debian packages; quick when all are there)
	@tests/setup.sh

demo: setup ## play what Okta sends against a throw-away directory and show what becomes of it (DIRECTORY=openldap|active-directory|389ds)
	@$(CARGO) build --quiet --bin scim2ldap --example demo
	@$(CARGO) run --quiet --example demo -- $(DIRECTORY)

test: setup ## all tests: units, properties, golden files, and the daemon against real servers
	$(CARGO) test --locked

conformance: setup ## what independent SCIM conformance suites say (installs them from PyPI below target/)
	@tests/conformance/setup.sh
	@$(CARGO) build --quiet --locked --bin scim2ldap --example conformance
	@$(CARGO) run --quiet --locked --example conformance

test-gssapi: setup ## the program with Kerberos, against Samba's key distribution centre (installs what that needs to build)
	@tests/setup.sh libkrb5-dev libclang-dev libgssapi-krb5-2 samba-common-bin
	$(CARGO) test --locked --features gssapi --test it gssapi::

soak: setup ## what takes minutes: groups of a hundred thousand members, thousands of outages, a day away, names left at the same moment
	$(CARGO) test --locked --release --test it -- --ignored --nocapture --test-threads 1 large:: chaos:: races::

bench: setup ## how fast the bridge is, beside the directory alone (docs/performance.md; some minutes on a quiet machine)
	$(CARGO) bench --locked --bench bridge

bench-large: setup ## the part of it with groups of a hundred thousand and a directory of a million (2 GB of disk)
	BENCH_PART=large $(CARGO) bench --locked --bench bridge

bench-outage: setup ## the part of it with outages of the directory
	BENCH_PART=outage $(CARGO) bench --locked --bench bridge

bench-smoke: setup ## does the bench itself work? (seconds; its numbers mean nothing)
	BENCH_QUICK=1 $(CARGO) bench --locked --profile dev --bench bridge

check: fmt-check clippy test ## what has to be good before a change goes in

fmt: ## format the code
	$(CARGO) fmt

fmt-check: ## is the code formatted?
	$(CARGO) fmt --check

clippy: ## lint the code, with warnings as errors
	$(CARGO) clippy --locked --all-targets -- -D warnings

deny: ## check the licences, the origin and the bans of every crate that is built in
	$(CARGO) deny check bans licenses sources
