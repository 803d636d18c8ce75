# SPDX-License-Identifier: MIT
"""Records come out of their elements by the rule of docs/wire-format.md."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyprof.pages import PAGE_ID_LIMIT
from tinyprof.wire.touches import MalformedRecords, join_records, split_records

Element = int | bool | list[int] | None

MIDDLE = 1 << 26
distances = st.integers(-300, 300) | st.integers(-(1 << 20), 1 << 20)
touches = distances | st.tuples(st.integers(1, 3), distances).map(list)
markers = st.sampled_from((None, False, True))
from_the_middle = st.lists(touches | markers, max_size=40) | st.lists(touches, max_size=40)
elements = from_the_middle.map(lambda rest: [MIDDLE, *rest]) | st.lists(touches | markers)


def plain(elements: list[Element]) -> tuple[tuple[int, ...], bytes] | None:
    """Page ids and kinds as the document says; None where a page id is out of range."""
    places, page_ids, kinds = [0, 0, 0, 0], [], []
    for element in elements:
        if element is None or isinstance(element, bool):
            places.insert(0, places.pop({None: 1, False: 2, True: 3}[element]))
            continue
        kind, distance = element if isinstance(element, list) else (0, element)
        page_id = places[0] + distance
        places = [page_id, *(places[1:] if -128 <= distance <= 255 else places[:3])]
        page_ids.append(page_id)
        kinds.append(kind)
    in_range = all(0 <= page_id < PAGE_ID_LIMIT for page_id in page_ids)
    return (tuple(page_ids), bytes(kinds)) if in_range else None


@given(elements)
def test_records_are_what_the_document_says(elements: list[Element]) -> None:
    expected = plain(elements)
    if expected is None:
        with pytest.raises(MalformedRecords):
            split_records(elements)
    else:
        assert split_records(elements) == expected


@given(st.lists(st.tuples(st.integers(0, PAGE_ID_LIMIT - 1), st.integers(0, 3))))
def test_touches_come_back_from_their_elements(touches: list[tuple[int, int]]) -> None:
    page_ids = tuple(page_id for page_id, _ in touches)
    kinds = bytes(kind for _, kind in touches)
    assert split_records(join_records(page_ids, kinds)) == (page_ids, kinds)


@pytest.mark.parametrize(
    "element", ["x", 1.0, [], [1], [0, 5], [4, 5], [1, True], [1, 2, 3], {}, [None, 1]]
)
@pytest.mark.parametrize("before", [[], [5], [None], [5, False]])
def test_what_is_no_record_is_refused(before: list[object], element: object) -> None:
    with pytest.raises(MalformedRecords):
        split_records([*before, element])
