# SPDX-License-Identifier: MIT
"""The report as one HTML page."""
