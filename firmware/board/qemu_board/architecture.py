# SPDX-License-Identifier: MIT
"""The machines that the board can be: one description for each architecture.

32-bit ARM is the reference. QEMU's `virt` machines and a PC show what images and recordings do on
other architectures, and a Cortex-M3 what they do without an MMU.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Reset:
    """The start of a machine without a boot loader.

    `source` is the name of our assembler source of the first instructions, which are linked to
    address 0, and `words` are the compiler's words for it. `kernel` and `device_tree` are the
    addresses that both are loaded to.
    """

    source: str
    words: tuple[str, ...]
    kernel: int
    device_tree: int


@dataclass(frozen=True, slots=True)
class Architecture:
    """The differences between machines. `name` is Debian's name of the architecture.

    `linux` is the kernel's own (ARCH=), `image` the make target that QEMU boots, `objects` the
    folder that it is compiled in, `configs` and `device_tree` the names of our sources; a PC has
    no device tree. `flash` are QEMU's words for a file in it. `agent_uart` is a serial port beside
    the console's. `cpus` is the most that it can have. `memory` is the RAM in MiB that QEMU gives
    it where the kernel is told by a word how much of that it may use, else 0. `guest_memory` is
    the RAM in MiB that a guest has where nobody asks for another size. `reset` describes a machine
    without any boot loader. `mmu`: it has an MMU, which our kernel part needs to map page by
    page. It records without one, too, and mends the kernel's faults.
    `proposed`: its kernel has what is proposed upstream in place of our tracer.
    """

    name: str
    linux: str
    cross: str
    tools: tuple[str, ...]
    image: str
    objects: str
    configs: tuple[str, ...]
    device_tree: str
    qemu: str
    qemu_packages: tuple[str, ...]
    machine: tuple[str, ...]
    flash: tuple[str, str]
    flash_bytes: int
    console: str
    agent_uart: bool
    cpus: int = 1
    memory: int = 0
    guest_memory: int = 64
    reset: Reset | None = None
    mmu: bool = True
    proposed: bool = False

    @property
    def compiler(self) -> str:
        """The package of the cross compiler."""
        return self.tools[0]


ARMHF = Architecture(
    name="armhf",
    linux="arm",
    cross="arm-linux-gnueabihf-",
    tools=("gcc-arm-linux-gnueabihf", "libc6-dev-armhf-cross"),
    image="zImage",
    objects="build",
    configs=("kernel",),
    device_tree="vexpress-a9",
    qemu="qemu-system-arm",
    qemu_packages=("qemu-system-arm",),
    machine=("-M", "vexpress-a9"),
    flash=("-drive", "if=pflash,format=raw,file={}"),
    flash_bytes=64 << 20,
    console="ttyAMA0",
    agent_uart=True,
)

ARMHF_SQUASHFS = replace(
    ARMHF, name="armhf-squashfs", objects="build-squashfs", configs=("kernel", "kernel-squashfs")
)
"""The reference board with a kernel that can have a squashfs as its root."""

ARMHF_PROPOSED = replace(ARMHF, name="armhf-proposed", objects="build-proposed", proposed=True)
"""The reference board with a kernel that has two tracepoints in place of our tracer."""

ARM64 = Architecture(
    name="arm64",
    linux="arm64",
    cross="aarch64-linux-gnu-",
    tools=("gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross"),
    image="Image",
    objects="build-arm64",
    configs=("kernel-virt", "kernel-arm64"),
    device_tree="virt-arm64",
    qemu="qemu-system-aarch64",
    qemu_packages=("qemu-system-arm",),
    machine=("-M", "virt,gic-version=2", "-cpu", "max"),
    flash=("-drive", "if=pflash,unit=1,format=raw,file={}"),
    flash_bytes=64 << 20,
    console="ttyAMA0",
    agent_uart=False,
    cpus=4,
)

ARM64_LOCKDEP = replace(
    ARM64,
    name="arm64-lockdep",
    objects="build-arm64-lockdep",
    configs=(*ARM64.configs, "kernel-checkers", "kernel-lockdep"),
)
"""The arm64 board with a kernel that checks its locks, its sleeping and its leaks."""

ARM64_KASAN = replace(
    ARM64,
    name="arm64-kasan",
    objects="build-arm64-kasan",
    configs=(*ARM64.configs, "kernel-checkers", "kernel-kasan"),
)
"""The arm64 board with a kernel that checks its accesses to memory and its arithmetic."""

RISCV64 = Architecture(
    name="riscv64",
    linux="riscv",
    cross="riscv64-linux-gnu-",
    tools=("gcc-riscv64-linux-gnu", "libc6-dev-riscv64-cross"),
    image="Image",
    objects="build-riscv64",
    configs=("kernel-virt", "kernel-riscv64"),
    device_tree="virt-riscv64",
    qemu="qemu-system-riscv64",
    qemu_packages=("qemu-system-misc", "opensbi"),
    machine=("-M", "virt"),
    # As a drive it would be taken for firmware, and booted.
    flash=("-device", "loader,addr=0x20000000,force-raw=on,file={}"),
    flash_bytes=32 << 20,
    console="ttyS0",
    agent_uart=False,
)

AMD64 = Architecture(
    name="amd64",
    linux="x86",
    cross="x86_64-linux-gnu-",
    tools=("gcc", "libc6-dev", "libelf-dev"),
    image="bzImage",
    objects="build-amd64",
    configs=("kernel-virt", "kernel-amd64"),
    device_tree="",
    qemu="qemu-system-x86_64",
    qemu_packages=("qemu-system-x86", "seabios"),
    machine=("-M", "pc", "-cpu", "max"),
    # The firmware keeps its tables in the last of the RAM, so there is some behind the flash.
    flash=("-device", "loader,addr=0x40000000,force-raw=on,file={}"),
    flash_bytes=64 << 20,
    console="ttyS0",
    agent_uart=True,
    cpus=4,
    memory=1152,
)

ARMV7M = Architecture(
    name="armv7m",
    linux="arm",
    cross="arm-linux-gnueabihf-",
    tools=("gcc-arm-linux-gnueabihf", "libc6-dev-armhf-cross"),
    image="Image",
    objects="build-armv7m",
    configs=("kernel-armv7m",),
    device_tree="mps2-an385",
    qemu="qemu-system-arm",
    qemu_packages=("qemu-system-arm",),
    machine=("-M", "mps2-an385"),
    # SSRAM 2 and 3. The program counter of a program in place lies there.
    flash=("-device", "loader,addr=0x20000000,force-raw=on,file={}"),
    flash_bytes=4 << 20,
    console="ttyMPS0",
    agent_uart=True,
    memory=16,
    guest_memory=16,
    # SSRAM 1 has the first instructions and the device tree, so RAM has neither.
    reset=Reset(
        source="mps2-an385-reset",
        words=("-mcpu=cortex-m3", "-mthumb", "-mfloat-abi=soft"),
        kernel=0x21008000,
        device_tree=0x00010000,
    ),
    mmu=False,
)
"""A machine without an MMU."""

ARCHITECTURES = {
    machine.name: machine
    for machine in (
        ARMHF,
        ARMHF_SQUASHFS,
        ARMHF_PROPOSED,
        ARM64,
        ARM64_LOCKDEP,
        ARM64_KASAN,
        RISCV64,
        AMD64,
        ARMV7M,
    )
}
