# SPDX-License-Identifier: MIT
"""The host's end of the line: ports of every kind, and lines that outlive them."""
