# SPDX-License-Identifier: MIT
"""The panes of the live view, one module each."""
