# SPDX-License-Identifier: MIT
"""The reference board: kernel, root filesystem, flash and run, with nothing but Python's own
library."""
