# SPDX-License-Identifier: MIT
"""What flash would buy: the sizes that it reckons with are those of the pages a profile knows."""

from __future__ import annotations

from tinyprof.cramfs import Fsid
from tinyprof.image_index import ImageIndex, IndexedFile, Source
from tinyprof.whatif import stored_sizes


def test_a_split_file_has_its_sizes_under_the_program_and_without_added_pages() -> None:
    split = IndexedFile(
        "/bin/it",
        64,
        4 * 4096,
        "5" * 64,
        (100, 200, 300, 400),
        bytes(4),
        source=Source(2 * 4096 + 1, "a" * 64),
    )
    whole = IndexedFile("/lib/it", 128, 4096, "b" * 64, (500,), bytes(1))
    index = ImageIndex("little", 65536, Fsid(1, 0, 5, 2), "it", (split, whole))
    assert stored_sizes(index) == {
        ("a" * 64, 2 * 4096 + 1): (100, 200, 300),
        ("b" * 64, 4096): (500,),
    }
