# SPDX-License-Identifier: MIT
"""The used pages of a root filesystem, file by file.

`model` defines a profile, `resolve` makes profiles of recorded boots (`boot_profile`, and `told`
for files that the target tells), `merge` makes one of several, `temperature` tells hot pages from
others, and `tprof` reads and writes their text (docs/profile-format.md).
"""
