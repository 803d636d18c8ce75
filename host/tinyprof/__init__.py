# SPDX-License-Identifier: MIT
"""tinyprof: finds the pages of a CramFS root filesystem that are used; executes exactly those in
place."""

__version__ = "0.1.0"
