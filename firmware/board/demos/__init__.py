# SPDX-License-Identifier: MIT
"""What the board shows: the steps of its demos, the boots that they measure, and the programs that
are built anew for linker orders."""
