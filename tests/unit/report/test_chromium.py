# SPDX-License-Identifier: MIT
"""The HTML report in a real browser: its script works, no name does anything, there is something
to see."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tinyprof.capture.index import ImageIndex, stored_sizes
from tinyprof.capture.reader import CaptureReader
from tinyprof.profile.model import NamedRange, Profile
from tinyprof.profile.resolve import make_profile
from tinyprof.report.html.page import Programs, html_report
from tinyprof.rootfs.elf_names import Names
from tinyprof.wire.messages import Message

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(not BROWSER, reason="chromium is not installed")
OWNED = "document.title='owned'"
HOSTILE = f'/<img src=x onerror="{OWNED}"></td></script><script>{OWNED}</script>'


@pytest.fixture
def profile(
    story: list[Message], index: ImageIndex, capture_of: Callable[..., CaptureReader]
) -> Profile:
    return make_profile([capture_of(story, index)])


def browse(page: Path, *words: str) -> str:
    """What the browser prints."""
    profile = page.with_suffix(".profile")
    # As root it has no sandbox; the page is ours.
    command = [
        str(BROWSER),
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={profile}",
    ]
    done = subprocess.run(
        [*command, *words, page.as_uri()], check=True, capture_output=True, text=True, timeout=120
    )
    return done.stdout


def test_the_script_adds_the_filter_and_no_name_becomes_code(
    profile: Profile, index: ImageIndex, tmp_path: Path
) -> None:
    files = tuple(replace(file, path=HOSTILE) for file in profile.files)
    names = Names((NamedRange(HOSTILE, 0, 8 * 4096),), (NamedRange(HOSTILE, 0, 8 * 4096),))
    programs = Programs(lambda file: names, lambda file: b"")
    page = tmp_path / "report.html"
    page.write_text(
        html_report(replace(profile, files=files), stored_sizes(index), programs=programs)
    )
    dom = browse(page, "--dump-dom")
    assert "<title>tinyprof report</title>" in dom
    assert 'placeholder="search by path or function"' in dom
    assert "&lt;img src=x" in dom
    assert "<img" not in dom


def test_it_reads_without_its_script_and_shows_something(
    profile: Profile, index: ImageIndex, tmp_path: Path
) -> None:
    page = tmp_path / "report.html"
    text = html_report(profile, stored_sizes(index))
    pictures = []
    for name, shown in (
        ("with", text),
        ("without", text.replace("script-src 'sha256-", "script-src 'none-")),
    ):
        page.write_text(shown)
        picture = tmp_path / f"{name}.png"
        browse(page, "--window-size=1000,1400", f"--screenshot={picture}")
        pictures.append(picture.read_bytes())
    # A page with nothing on it is a few kilobytes.
    assert all(len(picture) > 20_000 for picture in pictures)
    assert hashlib.sha256(pictures[0]).digest() != hashlib.sha256(pictures[1]).digest()
