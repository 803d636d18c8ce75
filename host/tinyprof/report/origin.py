# SPDX-License-Identifier: MIT
"""The origin of a page: the files, the image, and the command that it was made with. No I/O."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Recorded:
    """A file that a page was made of. Of a capture: when it began, in Unix seconds, the port, and
    the version of tinyprof that recorded it; 0 and empty where the file does not say."""

    name: str
    began: int = 0
    port: str = ""
    recorder: str = ""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a page comes from.

    - `files`: the captures and profiles. `image`: the name of the image.
    - `image_size`: bytes; 0 where it is not known.
    - `version`: of this program. `command`: the words that made the page.
    """

    files: tuple[Recorded, ...] = ()
    image: str = ""
    image_size: int = 0
    version: str = ""
    command: str = ""
