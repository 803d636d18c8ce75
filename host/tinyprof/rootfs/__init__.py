# SPDX-License-Identifier: MIT
"""The files of a root filesystem.

`indexing` makes the index of an image. `contents` reads files. `elf_names` names their bytes.
`match` and `landmarks` find a profile's pages in a tree whose files may have changed.
"""
