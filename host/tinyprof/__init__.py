# SPDX-License-Identifier: MIT
"""tinyprof: which pages of a CramFS root filesystem are used, and an image that executes exactly those in place."""

__version__ = "0.1.0"
