# SPDX-License-Identifier: MIT
"""The file that keeps every byte of a recorded line, and what it needs to be read in ten years.

docs/capture-format.md describes the file. A capture knows nothing of CramFS or ELF: `index` only
says what an image index holds. rootfs/indexing makes one.
"""
