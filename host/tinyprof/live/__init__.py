# SPDX-License-Identifier: MIT
"""News of a recording for whoever shows it: running or finished, without a screen."""
