# SPDX-License-Identifier: MIT
# check needs Python with venv and no more. demo, compare, test and bench set up what they need: Debian packages (as
# root), the virtual environment, the kernels.
VENV  := .venv
PY    := $(VENV)/bin/python
BOARD := firmware/board/board

# What the tests need beside the packages that the board names (firmware/board/board packages).
PACKAGES := python3 python3-venv gcc libc6-dev make util-linux-extra p7zip-full clang-tidy tmux locales qemu-user lld \
	poppler-utils fakeroot dpkg-dev

# What the programs of demo-order are built with, beside a compiler for the board.
ORDER_PACKAGES := tcl pkg-config

# Machines whose stock kernels the tests boot beside the reference.
MACHINES := arm64 riscv64 amd64 armv7m

# Most tests wait for a guest, a line or a screen, so more of them than cores run side by side.
WORKERS := $(shell echo $$(( $$(nproc) + 2 )))
PYTEST   = $(PY) -m pytest -n $(WORKERS) --dist worksteal

# The tests start the program, the board and Python's own modules some thousand times: let each be compiled once.
unexport PYTHONDONTWRITEBYTECODE

# The version of the kernels that check themselves, and how long, in seconds of the guest, a soak stresses each.
SOAKED  := 6.1
SECONDS := 1800

.PHONY: check demo demo-order demo-nommu compare test test-all soak bench dist lint style packages browser later-kernels machines \
	kernels kernels-all venv man clean

check: style
	$(PYTEST) tests/unit

demo: venv
	firmware/board/demo build/demo --tinyprof $(VENV)/bin/tinyprof

# Programs built anew from Debian's sources, and ordered by a recording. A quarter of an hour the first time.
demo-order: SHELL := bash
demo-order: venv
	@$(install) $(call missing,$(ORDER_PACKAGES))
	firmware/board/demo-order build/demo-order --tinyprof $(VENV)/bin/tinyprof

# The loop on a Cortex-M3 without an MMU: some minutes, beside a linker for FDPIC that is built once.
demo-nommu: venv machines
	$(PY) tests/bench/nommu.py build/demo-nommu

# The same root filesystems on squashfs, EROFS and CramFS. An hour; a second run goes on where the first one ended.
compare: SHELL := bash
compare: venv
	@$(install) $(call missing,squashfs-tools erofs-utils)
	for recipe in reference heavier; do \
		firmware/board/compare build/compare/$$recipe --recipe $$recipe --tinyprof $(VENV)/bin/tinyprof || exit 1; \
	done

# Results of deterministic checks whose inputs are the same as last time are taken from the cache.
test: lint browser kernels
	$(PYTEST)

# The target tests on all kernels, drills with all their rounds, and no result of a check from the cache. Twice as long.
test-all: lint browser kernels-all
	TINYPROF_ALL_KERNELS=1 $(PYTEST)

# An hour and a half, and more where `make soak SECONDS=` says so.
soak: venv machines
	@for family in lockdep kasan; do \
		PYTHONPATH=host:tests:firmware/board $(PY) -m target.stress $$family --version $(SOAKED) --seconds $(SECONDS) || exit 1; \
	done

# The manual pages, from the help of the commands and from README.
man: $(VENV)/.ready
	$(PY) docs/man/make.py

bench: venv
	$(PY) tests/bench/all.py

# The wheel and the sdist, installed and used with each Python at hand. Needs the package registry.
dist: $(VENV)/.ready
	$(PY) tests/packaging.py $(PYTHONS)

lint: venv style
	$(MAKE) -s -C agent tidy

style: $(VENV)/.ready
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

venv: packages $(VENV)/.ready

$(VENV)/.ready: pyproject.toml constraints.txt
	@echo 'setting up $(VENV)'
	@python3 -m venv $(VENV)
	@$(VENV)/bin/pip install -q -c constraints.txt -e '.[dev]'
	@touch $@

# The names of the packages of $(1) that are not installed.
missing = $$(dpkg-query -W -f='$${db:Status-Status} $${Package}\n' $(1) 2>/dev/null | \
	sed -n 's/^installed //p' | sort | comm -13 - <(printf '%s\n' $(1) | sort -u))

define install
set -e; install() { \
	[ -z "$$*" ] && return; \
	[ "$$(id -u)" = 0 ] || { echo "run as root: apt-get install $$*" >&2; exit 1; }; \
	[ -n "$$updated" ] || apt-get -q update; updated=1; \
	DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "$$@"; \
}; install
endef

# python3 comes first: the board is written in it.
packages: SHELL := bash
packages:
	@$(install) $(call missing,$(PACKAGES)); install $$($(BOARD) packages --missing)

# What the HTML report is looked at with.
browser: SHELL := bash
browser: packages
	@$(install) $(call missing,chromium)

# Kernels beside 6.1 are tested where this Debian has their source.
later-kernels: SHELL := bash
later-kernels: packages
	@wanted=$$($(BOARD) packages --version 6.12 --missing); \
	[ -z "$$wanted" ] || ! apt-cache show $$wanted >/dev/null 2>&1 || { $(install) $$wanted; }

machines: SHELL := bash
machines: packages
	@$(install) $$(for machine in $(MACHINES); do $(BOARD) packages --arch $$machine --missing; done)

# The kernels that this Debian has no source of, from suites of Debian's that have it. An hour and a half, and 8 GB.
# `make test-all` boots them; make test does without.
OTHER_KERNELS := 5.10 7.2 7.3

kernels-all: kernels
	@for version in $(OTHER_KERNELS); do \
		$(BOARD) source --version $$version >/dev/null || \
		{ echo "no source of Linux $$version: its tests are skipped" >&2; continue; }; \
		{ $(BOARD) kernel --version $$version && $(BOARD) kernel --version $$version --stock; } >/dev/null || exit 1; \
	done
	@for version in 6.12 7.2; do $(BOARD) kernel --version $$version --arch arm64 >/dev/null || exit 1; done
	@for arch in riscv64 armhf-proposed; do $(BOARD) kernel --arch $$arch >/dev/null || exit 1; done
	@$(BOARD) kernel --arch arm64-kasan --stock >/dev/null && $(BOARD) kernel --arch arm64-kasan >/dev/null

# Before any test waits for them.
kernels: later-kernels machines
	@for version in 6.1 6.12; do \
		[ -n "$$($(BOARD) packages --version $$version --missing)" ] || \
		{ $(BOARD) kernel --version $$version --stock && $(BOARD) kernel --version $$version; } >/dev/null || exit 1; \
	done
	@for machine in $(MACHINES); do $(BOARD) kernel --arch $$machine --stock >/dev/null || exit 1; done
	@for machine in arm64 amd64 armv7m; do \
		$(BOARD) kernel --arch $$machine >/dev/null || exit 1; \
	done
	@[ -n "$$($(BOARD) packages --version 6.12 --missing)" ] || \
		{ $(BOARD) kernel --version 6.12 --arch armv7m --stock && \
		$(BOARD) kernel --version 6.12 --arch armv7m; } >/dev/null

clean:
	rm -rf build
