# SPDX-License-Identifier: MIT
"""The rows of figures that screens and reports both show."""
