# SPDX-License-Identifier: MIT
"""How much the tests do: `make test` within ten minutes, `make test-all` everything."""

from __future__ import annotations

import os

ALL = bool(os.environ.get("TINYPROF_ALL_KERNELS"))
"""Whether `make test-all` runs: all kernels are booted, and drills have all their rounds."""
