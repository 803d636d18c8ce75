# SPDX-License-Identifier: MIT
"""CramFS images: read, built, and nothing else of tinyprof in them."""

from tinyprof.cramfs.format import (
    BYTE_ORDERS,
    ByteOrder,
    EntryKind,
    ImageError,
    Superblock,
    SuperFlag,
    TreeError,
)
from tinyprof.cramfs.kernel import (
    KERNEL_MODELS,
    NO_CODE_FROM_FLASH,
    KernelModel,
    Verdict,
    judge,
    maps_no_code,
)
from tinyprof.cramfs.programs import (
    HEAD_SIZE,
    Part,
    executable_pages,
    head_in,
    head_of,
    mapped_parts,
    program_pages,
)
from tinyprof.cramfs.reading.blocks import Block
from tinyprof.cramfs.reading.checker import Finding, Report, Rule, check_image
from tinyprof.cramfs.reading.directory import Entry
from tinyprof.cramfs.reading.extractor import Extracted, extract_image
from tinyprof.cramfs.reading.measure import Share, measure
from tinyprof.cramfs.reading.reader import Image, read_image
from tinyprof.cramfs.tree import Node, Tree
from tinyprof.cramfs.writing.cache import DiskCache
from tinyprof.cramfs.writing.compressor import choose_compressor, compressor_name
from tinyprof.cramfs.writing.device_table import apply_device_table
from tinyprof.cramfs.writing.explain import Explanation, explain
from tinyprof.cramfs.writing.packer import BlockCache, compressed_size_of
from tinyprof.cramfs.writing.survey import Placement, Refusal
from tinyprof.cramfs.writing.writer import Progress, WriteOptions, Written, write_image
from tinyprof.pages import PAGE_SIZE, Fsid, page_ranges, page_runs

__all__ = [
    "BYTE_ORDERS",
    "HEAD_SIZE",
    "KERNEL_MODELS",
    "NO_CODE_FROM_FLASH",
    "PAGE_SIZE",
    "Block",
    "BlockCache",
    "ByteOrder",
    "DiskCache",
    "Entry",
    "EntryKind",
    "Explanation",
    "Extracted",
    "Finding",
    "Fsid",
    "Image",
    "ImageError",
    "KernelModel",
    "Node",
    "Part",
    "Placement",
    "Progress",
    "Refusal",
    "Report",
    "Rule",
    "Share",
    "SuperFlag",
    "Superblock",
    "Tree",
    "TreeError",
    "Verdict",
    "WriteOptions",
    "Written",
    "apply_device_table",
    "check_image",
    "choose_compressor",
    "compressed_size_of",
    "compressor_name",
    "executable_pages",
    "explain",
    "extract_image",
    "head_in",
    "head_of",
    "judge",
    "mapped_parts",
    "maps_no_code",
    "measure",
    "page_ranges",
    "page_runs",
    "program_pages",
    "read_image",
    "write_image",
]
