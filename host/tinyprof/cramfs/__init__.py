# SPDX-License-Identifier: MIT
"""CramFS images: read, built, and nothing else of tinyprof in them."""

from tinyprof.cramfs.blocks import Block
from tinyprof.cramfs.checker import Finding, Report, Rule, check_image
from tinyprof.cramfs.directory import Entry
from tinyprof.cramfs.format import PAGE_SIZE, EntryKind, Fsid, ImageError, Superblock, TreeError
from tinyprof.cramfs.kernel import KERNEL_MODELS, KernelModel
from tinyprof.cramfs.reader import Image, read_image
from tinyprof.cramfs.tree import Node, Tree
from tinyprof.cramfs.writer import Plan, Refusal, WriteOptions, Written, write_image

__all__ = [
    "KERNEL_MODELS",
    "PAGE_SIZE",
    "Block",
    "Entry",
    "EntryKind",
    "Finding",
    "Fsid",
    "Image",
    "ImageError",
    "KernelModel",
    "Node",
    "Plan",
    "Refusal",
    "Report",
    "Rule",
    "Superblock",
    "Tree",
    "TreeError",
    "WriteOptions",
    "Written",
    "check_image",
    "read_image",
    "write_image",
]
