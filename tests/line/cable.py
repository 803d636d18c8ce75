# SPDX-License-Identifier: MIT
"""A cable between an agent and a recorder that behaves as bad cables do, and that can be pulled.

Both ends are ptys behind names that stay. A pull hangs both up, and new ptys take their places.
"""

from __future__ import annotations

import contextlib
import os
import select
import termios
import threading
import tty
from pathlib import Path

from tinyprof.record.noise import Noise, NoisyLine

READ = 512
"""Bytes moved at once: about two frames, so that what one lost write holds is not the whole
line."""


class _End:
    """A pty behind a name."""

    def __init__(self, name: Path) -> None:
        self._name = name
        self.master, self._slave = os.openpty()
        tty.setraw(self._slave, termios.TCSANOW)
        os.set_blocking(self.master, False)
        new = name.with_suffix(".new")
        new.symlink_to(os.ttyname(self._slave))
        new.rename(name)

    def hang_up(self) -> None:
        os.close(self.master)
        os.close(self._slave)
        self._name.unlink()


class BadCable:
    """`agents_end` and `hosts_end` are what to open."""

    def __init__(self, folder: Path, seed: int, *, noise: Noise | None = None) -> None:
        self.agents_end, self.hosts_end = folder / "agents-end", folder / "hosts-end"
        noise = noise or Noise(0, 0, 0)
        self.to_host = NoisyLine(noise, seed)
        self.to_agent = NoisyLine(Noise(noise.bits, noise.lost, 0), seed + 1)
        self._pulls = 0
        self._wanted = threading.Condition()
        self._wake, self._awoken = os.pipe()
        self._over = False
        self._thread = threading.Thread(target=self._carry, daemon=True)
        self._thread.start()

    def pull(self) -> None:
        """Unplug both ends and plug them in again; returns when that is done."""
        with self._wanted:
            wanted = self._pulls + 1
            os.write(self._awoken, b"p")
            assert self._wanted.wait_for(lambda: self._pulls >= wanted, 20)

    def cut(self) -> None:
        os.write(self._awoken, b"o")
        self._thread.join()
        os.close(self._wake)
        os.close(self._awoken)

    def _carry(self) -> None:
        while not self._over:
            ends = _End(self.agents_end), _End(self.hosts_end)
            with self._wanted:
                self._wanted.notify_all()
            self._pump(ends[0].master, ends[1].master)
            for end in ends:
                end.hang_up()
            with self._wanted:
                self._pulls += 1

    def _pump(self, agent: int, host: int) -> None:
        """Carry until the cable is pulled; what the other side has no room for waits."""
        across = {agent: (host, self.to_host), host: (agent, self.to_agent)}
        waiting = {agent: b"", host: b""}
        while True:
            sources = [fd for fd in across if not waiting[across[fd][0]]]
            readable, writable, _ = select.select(
                [*sources, self._wake], [fd for fd, data in waiting.items() if data], []
            )
            if self._wake in readable:
                self._over = os.read(self._wake, 1) == b"o"
                return
            with contextlib.suppress(BlockingIOError):
                for source in readable:
                    sink, line = across[source]
                    waiting[sink] += line.through(os.read(source, READ))
                for sink in writable:
                    waiting[sink] = waiting[sink][os.write(sink, waiting[sink]) :]
