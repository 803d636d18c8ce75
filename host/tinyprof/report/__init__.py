# SPDX-License-Identifier: MIT
"""Reports of profiles and plans: text, JSON fields or HTML out. No I/O."""

from tinyprof.report.axfs import axfs_lines
from tinyprof.report.differences import difference_fields, difference_lines, differences
from tinyprof.report.html.page import Programs, html_report
from tinyprof.report.plans import (
    curve_fields,
    curve_lines,
    match_fields,
    match_lines,
    plan_document,
    plan_lines,
)
from tinyprof.report.summary import (
    FileSummary,
    Summary,
    boot_text,
    summarize,
    summary_fields,
    summary_lines,
)
from tinyprof.tables.ledger import losses_text

__all__ = [
    "FileSummary",
    "Programs",
    "Summary",
    "axfs_lines",
    "boot_text",
    "curve_fields",
    "curve_lines",
    "difference_fields",
    "difference_lines",
    "differences",
    "html_report",
    "losses_text",
    "match_fields",
    "match_lines",
    "plan_document",
    "plan_lines",
    "summarize",
    "summary_fields",
    "summary_lines",
]
