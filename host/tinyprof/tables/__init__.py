# SPDX-License-Identifier: MIT
"""The rows of figures that both the live view and the reports show."""
