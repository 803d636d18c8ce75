# SPDX-License-Identifier: MIT
"""Reads, checks, extracts and builds CramFS images, with any pages stored to be executed in place.

A library for other programs too. It imports nothing of the rest of tinyprof but the size of a page
and the root of all errors. docs/cramfs-library.md describes it.

>>> import tempfile
>>> from pathlib import Path
>>> from tinyprof.cramfs import Tree, WriteOptions, check_image, read_image, write_image
>>> with tempfile.TemporaryDirectory() as folder:
...     size = Path(folder, "hello").write_bytes(b"hello " * 2000)
...     written = write_image(Tree.from_directory(folder), {"/hello": [1]}, WriteOptions())
>>> image = read_image(written.image)
>>> [entry.path for entry in image.entries]
['/', '/hello']
>>> hello = image.entries[1]
>>> image.read(hello)[:11]
b'hello hello'
>>> [block.in_place for block in image.blocks(hello)]
[False, True, False]
>>> check_image(written.image).errors
0
"""

from tinyprof.cramfs.format import (
    ByteOrder,
    CramfsError,
    EntryKind,
    ImageError,
    Superblock,
    SuperFlag,
    TreeError,
)
from tinyprof.cramfs.kernel import KERNEL_MODELS, KernelModel
from tinyprof.cramfs.programs import program_pages
from tinyprof.cramfs.reading.blocks import Block
from tinyprof.cramfs.reading.checker import check_image
from tinyprof.cramfs.reading.directory import Entry
from tinyprof.cramfs.reading.extractor import Extracted, extract_image
from tinyprof.cramfs.reading.findings import Finding, Report, Rule
from tinyprof.cramfs.reading.measure import Share, measure
from tinyprof.cramfs.reading.reader import Damage, Image, open_image, read_image
from tinyprof.cramfs.tree import Node, Tree
from tinyprof.cramfs.writing.cache import DiskCache
from tinyprof.cramfs.writing.device_table import apply_device_table
from tinyprof.cramfs.writing.survey import Placement, Refusal
from tinyprof.cramfs.writing.writer import WriteOptions, Written, write_image
from tinyprof.pages import PAGE_SIZE

__all__ = [
    "KERNEL_MODELS",
    "PAGE_SIZE",
    "Block",
    "ByteOrder",
    "CramfsError",
    "Damage",
    "DiskCache",
    "Entry",
    "EntryKind",
    "Extracted",
    "Finding",
    "Image",
    "ImageError",
    "KernelModel",
    "Node",
    "Placement",
    "Refusal",
    "Report",
    "Rule",
    "Share",
    "SuperFlag",
    "Superblock",
    "Tree",
    "TreeError",
    "WriteOptions",
    "Written",
    "apply_device_table",
    "check_image",
    "extract_image",
    "measure",
    "open_image",
    "program_pages",
    "read_image",
    "write_image",
]
