# SPDX-License-Identifier: MIT
"""Reads images: untrusted bytes in, entries and findings out."""
