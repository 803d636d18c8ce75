# SPDX-License-Identifier: MIT
# `make test` and `make check` set up the virtual environment they need.
VENV := .venv
PY   := $(VENV)/bin/python
PACKAGES := python3 python3-venv gcc libc6-dev make util-linux-extra

.PHONY: test lint venv clean

venv: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml constraints.txt
	@command -v python3 >/dev/null && python3 -c 'import venv, ensurepip' 2>/dev/null && \
		command -v gcc >/dev/null && test -x /sbin/fsck.cramfs && test -x /sbin/mkfs.cramfs || \
		{ apt-get update && apt-get install -y --no-install-recommends $(PACKAGES); }
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install -q -c constraints.txt -e '.[dev]'
	touch $@

lint: venv
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

test: lint
	$(PY) -m pytest

clean:
	rm -rf build
