# SPDX-License-Identifier: MIT
"""The file that keeps every byte of a recorded line, and all that is needed to read it in ten
years.

docs/capture-format.md describes the file. A capture knows nothing of CramFS or ELF: `index` only
says what an image index holds. rootfs/indexing makes one.
"""
