# SPDX-License-Identifier: MIT
"""The live view: news of a recording come in, a screen goes out.

Only this room imports Textual, and it is imported only when the view opens. Nothing that a report
needs stands here.
"""
