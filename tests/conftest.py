# SPDX-License-Identifier: MIT
"""What all tests share: property tests try the same cases each time, so that a run tells of the
change.

TINYPROF_EXPLORE=1 lets them look for new ones.
"""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("the same cases", derandomize=True, database=None, deadline=None)
settings.register_profile("new cases", deadline=None)
settings.load_profile("new cases" if os.environ.get("TINYPROF_EXPLORE") else "the same cases")
