# SPDX-License-Identifier: MIT
"""Chooses the pages that a flash budget should buy, and proves the choice.

docs/planning.md explains the method.
"""
