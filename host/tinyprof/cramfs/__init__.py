# SPDX-License-Identifier: MIT
"""CramFS images."""

from tinyprof.cramfs.format import PAGE_SIZE, Fsid

__all__ = ["PAGE_SIZE", "Fsid"]
