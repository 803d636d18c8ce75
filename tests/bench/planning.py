# SPDX-License-Identifier: MIT
"""How long choosing among 65,000 used pages takes, and merging 100 profiles of the reference
size."""

from __future__ import annotations

import random
from time import process_time

from tinyprof.heat.losses import NO_LOSSES
from tinyprof.pages import PAGE_SIZE
from tinyprof.plan.offers import MODELS, offered_by
from tinyprof.plan.selection import Target, select
from tinyprof.plan.value import Candidate
from tinyprof.profile.merge import merge_profiles
from tinyprof.profile.model import BootFacts, FileUse, PageUse, PhaseFacts, Profile, Seen
from tinyprof.profile.tprof import dump_profile, load_profile

SEED = 20261124
FILES, PAGES, STEADY = 250, 260, 30
PROFILES, USED_FILES, USED_PAGES = 100, 30, 22


def use(rng: random.Random) -> PageUse:
    steady = rng.randrange(STEADY + 1)
    return PageUse("0" * 16, {"x": Seen(steady + 2, steady, 1, STEADY, 2, 1 + steady // 2, 1)})


def candidates(rng: random.Random) -> list[Candidate]:
    return [
        Candidate(
            f"/lib/{number}",
            PAGES * PAGE_SIZE,
            b"",
            [rng.randrange(1200, 4100) for _ in range(PAGES)],
            {page: use(rng) for page in range(PAGES)},
            STEADY,
        )
        for number in range(FILES)
    ]


def profile(rng: random.Random, number: int) -> str:
    """The size of a recording of the reference workload, in files, pages and epochs."""
    fsid = f"{number:08x}/0/11560/1128"
    phases = (PhaseFacts("", 1, 10, 9, False), PhaseFacts("steady", 11, STEADY, 9, True))
    run = BootFacts(fsid, "6.1.192", 10 + STEADY, NO_LOSSES, phases)
    files = []
    for n in range(USED_FILES):
        pages = {page: use(rng) for page in range(USED_PAGES)}
        files.append(FileUse(f"/lib/{n:02}", 400 * PAGE_SIZE, f"{n:064x}", pages, (fsid,)))
    return dump_profile(Profile((run,), 0, tuple(files)))


def main() -> None:
    rng = random.Random(SEED)
    files = candidates(rng)
    for name in ("patched", "mainline", "nommu"):
        began = process_time()
        chosen = select(offered_by(files, MODELS[name]), Target(flash=20 << 20))
        took = process_time() - began
        print(
            f"plan-65000-{name} {took:.3f} s of CPU, {100 * chosen.of_bound:.4f} % of the bound, "
            f"at least {100 * chosen.of_best:.4f} % of the best"
        )
    texts = [profile(rng, number) for number in range(PROFILES)]
    began = process_time()
    merged = merge_profiles(map(load_profile, texts))
    dump_profile(merged)
    print(f"merge-{PROFILES} {process_time() - began:.3f} s of CPU")


if __name__ == "__main__":
    main()
