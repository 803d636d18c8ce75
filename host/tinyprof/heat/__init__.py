# SPDX-License-Identifier: MIT
"""Counts the events of a line: which pages were used, in which epochs, and what was lost.

Events come in, numbers go out. Nothing here reads a file or asks a clock.
"""
