# SPDX-License-Identifier: MIT
"""CramFS images: read, built, and nothing else of tinyprof in them."""

from tinyprof.cramfs.format import PAGE_SIZE, EntryKind, Fsid, ImageError, Superblock, TreeError
from tinyprof.cramfs.reader import Block, Entry, Image, read_image
from tinyprof.cramfs.tree import Node, Tree
from tinyprof.cramfs.writer import Plan, Refusal, WriteOptions, Written, write_image

__all__ = [
    "PAGE_SIZE",
    "Block",
    "Entry",
    "EntryKind",
    "Fsid",
    "Image",
    "ImageError",
    "Node",
    "Plan",
    "Refusal",
    "Superblock",
    "Tree",
    "TreeError",
    "WriteOptions",
    "Written",
    "read_image",
    "write_image",
]
