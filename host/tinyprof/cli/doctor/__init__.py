# SPDX-License-Identifier: MIT
"""The checks of `tinyprof doctor`: ports, kernels, images, folders and recordings come in, one
`Check` for each step of the way goes out.

Nothing here prints, and nothing that is looked at is changed.
"""
