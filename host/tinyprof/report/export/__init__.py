# SPDX-License-Identifier: MIT
"""Profiles and recordings in the formats of other tools."""
