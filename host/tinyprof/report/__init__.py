# SPDX-License-Identifier: MIT
"""What a profile says, for people and for programs: a profile in, text or JSON fields out. No I/O."""

from tinyprof.report.summary import (
    FileSummary,
    Summary,
    losses_text,
    run_text,
    summarize,
    summary_fields,
    summary_lines,
)

__all__ = [
    "FileSummary",
    "Summary",
    "losses_text",
    "run_text",
    "summarize",
    "summary_fields",
    "summary_lines",
]
