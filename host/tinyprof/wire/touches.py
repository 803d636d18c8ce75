# SPDX-License-Identifier: MIT
"""The records of a pages message: page ids and kinds from msgpack elements, and back.

A program jumps between a few files and moves a little in each. So a record tells its distance from
one of the last four places (docs/wire-format.md, "Records"). Every element is untrusted.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from tinyprof.pages import PAGE_ID_LIMIT

NEAR = range(-128, 256)
"""Distances that msgpack writes in at most two bytes. After a near step the place moves along. A
farther step makes a new place."""

PLACES = 4
"""Number of places that both sides remember."""
_MARKERS = (None, False, True)
"""Elements that bring the second, third or fourth place to the front."""

_ONLY_DISTANCES = {int}


class MalformedRecords(ValueError):
    """Elements that are no records."""


def split_records(elements: Any) -> tuple[tuple[int, ...], bytes]:
    """Return page ids and kinds in the order of the touches. Raises MalformedRecords."""
    if type(elements) is not list:
        raise MalformedRecords("records are not an array")
    # With only plain distances each page id is the sum of all distances so far. accumulate() is
    # the quickest way to add.
    if None not in elements and {*map(type, elements)} <= _ONLY_DISTANCES:
        return _checked(tuple(accumulate(elements))), bytes(len(elements))
    page_ids: list[int] = []
    kinds = bytearray(len(elements))
    first = second = third = fourth = 0
    for element in elements:
        # The commonest element is tested first: a fast recording waits for this loop.
        if type(element) is int:
            distance = element
        elif element is None:
            first, second = second, first
            continue
        elif element is False:
            first, second, third = third, first, second
            continue
        elif element is True:
            first, second, third, fourth = fourth, first, second, third
            continue
        else:
            kinds[len(page_ids)], distance = _kind_and_distance(element)
        if distance > 255 or distance < -128:  # `not in NEAR` takes longer
            second, third, fourth = first, second, third
        first += distance
        page_ids.append(first)
    return _checked(tuple(page_ids)), bytes(kinds[: len(page_ids)])


def _checked(page_ids: tuple[int, ...]) -> tuple[int, ...]:
    if page_ids and not 0 <= min(page_ids) <= max(page_ids) < PAGE_ID_LIMIT:
        raise MalformedRecords("page id out of range")
    return page_ids


def _kind_and_distance(element: Any) -> tuple[int, int]:
    if type(element) is list and len(element) == 2:
        kind, distance = element
        if type(kind) is int and 1 <= kind <= 3 and type(distance) is int:
            return kind, distance
    raise MalformedRecords("a record is neither a distance nor a kind and a distance")


def join_records(page_ids: Sequence[int], kinds: bytes) -> list[Any]:
    """Return the elements that a pages message carries for these touches, as the agent chooses
    them."""
    elements: list[Any] = []
    places = [0] * PLACES
    for page_id, kind in zip(page_ids, kinds, strict=True):
        nearest = _nearest(places, page_id)
        if nearest:
            elements.append(_MARKERS[nearest - 1])
        place = places.pop(nearest)
        distance = page_id - place
        elements.append([kind, distance] if kind else distance)
        places = (
            [page_id, *places] if distance in NEAR else [page_id, place, *places[: PLACES - 2]]
        )
    return elements


def _nearest(places: Sequence[int], page_id: int) -> int:
    """Return the first place if it is near, since it needs no marker. Else the nearest place."""
    if page_id - places[0] in NEAR:
        return 0
    return min(range(PLACES), key=lambda index: abs(page_id - places[index]))
