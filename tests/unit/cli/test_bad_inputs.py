# SPDX-License-Identifier: MIT
"""Every command on every kind of wrong input: a clear line, a documented exit code, no traceback.

A command's template has INPUT where the wrong file goes, GOOD... for a sound file, and OUT for a
result.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

from support.elf_cases import Shape, link
from tinyprof.capture.format import MAGIC
from tinyprof.cli import Exit, exit_code
from tinyprof.cramfs.tree import Tree
from tinyprof.cramfs.writing.writer import WriteOptions, write_image

SEED = 20261128
LINES_MAX = 25
"""Lines on stderr. A list of complaints may be as long; a message is shorter."""

COMMANDS = [
    "record INPUT -o OUT --no-tui --duration 1s",
    "record GOODPORT -o OUT --image INPUT",
    "record GOODPORT -o OUT --rootfs INPUT --no-tui --duration 1s",
    "view INPUT",
    *(f"capture {name} INPUT" for name in ("info", "cat", "check", "info --json", "cat --line")),
    "capture repair INPUT -o OUT",
    "profile INPUT -o OUT",
    "profile GOODPROFILE -o OUT --image INPUT",
    "plan GOODROOT -p INPUT",
    "plan INPUT -p GOODPROFILE",
    "build INPUT OUT --no-cache",
    *(
        f"build GOODROOT OUT --no-cache {word} INPUT"
        for word in ("--profile", "--plan", "-D", "-i")
    ),
    "split INPUT --runs 0-1 -o OUT",
    "split INPUT --check",
    "split INPUT --undo -o OUT",
    "report INPUT",
    "report INPUT --json",
    "report INPUT --html OUT",
    "report GOODPROFILE --html OUT --image INPUT",
    "diff INPUT GOODPROFILE",
    "diff GOODPROFILE INPUT",
    "export --format axfs-csv INPUT",
    *(
        f"image {name} INPUT"
        for name in ("info", "ls", "ls -l", "ls --json", "check", "info --json")
    ),
    "image extract INPUT OUT",
    "doctor INPUT",
    "doctor GOODPROFILE INPUT --json",
]

TELLS_MORE = ("image check", "image extract", "capture", "doctor")
"""Commands whose last line sums up what they did get."""

INPUTS = [
    *(
        "missing",
        "empty",
        "zeros",
        "noise",
        "text",
        "json",
        "nested json",
        "folder",
        "link to itself",
    ),
    *(
        "half an image",
        "image of rubbish",
        "half a capture",
        "capture of rubbish",
        "elf of rubbish",
    ),
    *("profile of numbers", "plan of numbers", "name that means harm", "binary in a name"),
]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Sound files: a folder, its image, and a profile of the recorded boot."""
    folder = tmp_path_factory.mktemp("good")
    (folder / "root").mkdir()
    (folder / "root/program").write_bytes(link(Shape(pages=12)))
    image = write_image(Tree.from_directory(folder / "root"), {}, WriteOptions()).image
    (folder / "image").write_bytes(image)
    (folder / "port").write_bytes(b"login: \n")
    assert run("record", "sim:", "--speed", "0", "-o", str(folder / "boot.tpcap"), "--no-tui") == 0
    assert run("profile", str(folder / "boot.tpcap"), "-o", str(folder / "boot.tprof")) == 0
    return {
        "GOODROOT": folder / "root",
        "GOODIMAGE": folder / "image",
        "GOODPORT": folder / "port",
        "GOODPROFILE": folder / "boot.tprof",
        "GOODCAPTURE": folder / "boot.tpcap",
    }


@pytest.fixture
def wrong(tmp_path: Path, good: dict[str, Path]) -> dict[str, Path]:
    rng = random.Random(SEED)
    image, capture = good["GOODIMAGE"].read_bytes(), good["GOODCAPTURE"].read_bytes()
    contents = {
        "empty": b"",
        "zeros": bytes(5000),
        "noise": rng.randbytes(5000),
        "text": b"a plain text\nof two lines\n",
        "json": b'{"format": 1}',
        "nested json": b"[" * 100_000,
        "half an image": image[: len(image) // 2],
        "image of rubbish": image[:76] + rng.randbytes(4000),
        "half a capture": capture[: len(capture) // 2],
        "capture of rubbish": MAGIC + rng.randbytes(4000),
        "elf of rubbish": link(Shape(pages=2))[:64] + rng.randbytes(4000),
        "profile of numbers": b'{"format":2,"unknown_pages":1e999,"runs":[],"files":['
        + b"9," * 99,
        "plan of numbers": b'{"format":1,"pages":{"/program":[[0,1' + b"0" * 5000 + b"]]}}",
        "name that means harm": b"x",
        "binary in a name": b"x",
    }
    names = {"name that means harm": "odd\x1b]0;owned\x07\n", "binary in a name": "\udcff\udcfe"}
    paths = {}
    for name, content in contents.items():
        paths[name] = tmp_path / names.get(name, name.replace(" ", "-"))
        paths[name].write_bytes(content)
    paths["missing"] = tmp_path / "missing"
    paths["folder"] = tmp_path / "folder"
    paths["folder"].mkdir()
    paths["link to itself"] = tmp_path / "circle"
    paths["link to itself"].symlink_to("circle")
    return paths


def run(*words: str) -> int:
    sys.argv = ["tinyprof", *words]
    return exit_code()


@pytest.mark.parametrize("name", INPUTS)
@pytest.mark.parametrize("template", COMMANDS)
def test_a_wrong_input_ends_in_a_clear_line(
    template: str,
    name: str,
    wrong: dict[str, Path],
    good: dict[str, Path],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "argv", ["tinyprof"])
    places = {"INPUT": wrong[name], "OUT": tmp_path / "out", **good}
    before = {path: path.read_bytes() for path in wrong.values() if path.is_file()}
    code = run(*(str(places.get(word, word)) for word in template.split()))
    said = capfd.readouterr()
    assert code in set(Exit)
    assert code != Exit.INTERRUPTED
    assert len(said.err.splitlines()) <= LINES_MAX
    assert all(character.isprintable() or character in "\n\t\r" for character in said.err)
    if code in (Exit.FAILED, Exit.USAGE) and not template.startswith(TELLS_MORE):
        assert said.err.splitlines()[-1].startswith("tinyprof: ")
    assert {path: path.read_bytes() for path in before} == before
    assert not any(path.name.startswith(".tinyprof") for path in tmp_path.iterdir())
