# SPDX-License-Identifier: MIT
"""tinyprof finds the used pages of a CramFS root filesystem and executes those in place."""

__version__ = "0.1.0"
"""The version of the host's program, of the package, and of the agent (agent/agent.c)."""
