# SPDX-License-Identifier: MIT
"""The lines on top of the live view: the state of the line, and the verdict."""
