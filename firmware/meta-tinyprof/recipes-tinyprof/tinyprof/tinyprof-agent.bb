SUMMARY = "Records which pages of a root filesystem are used"
DESCRIPTION = "A static program that sends touches of pages over a serial \
line. Start it as init: init=/sbin/tinyprof-agent. Leave it out of the image \
that ships."
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://LICENSE;md5=83c52ae8c3f677d0a468b05b2d493b98"

FILESEXTRAPATHS:prepend := "${TINYPROF_SOURCE}:"
SRC_URI = "file://LICENSE file://agent file://firmware/linux/overlay/include"
S = "${UNPACKDIR}"

PV = "local"

COMPATIBLE_HOST = "(arm|aarch64|riscv64|x86_64|i.86).*-linux"

# all, or kernel: the kernel's own part alone.
TINYPROF_AGENT_SOURCES ?= "all"

# The folder nolibc of a kernel tree, 6.1 to 6.12.
TINYPROF_NOLIBC ?= "${STAGING_KERNEL_DIR}/tools/include/nolibc"

# nolibc comes with the kernel's sources.
PACKAGE_ARCH = "${MACHINE_ARCH}"
do_compile[depends] += "virtual/kernel:do_shared_workdir"

do_compile () {
    oe_runmake -C ${S}/agent target GCC="${CC}" CROSS_COMPILE="${TARGET_PREFIX}" \
        NOLIBC=${TINYPROF_NOLIBC} SOURCES=${TINYPROF_AGENT_SOURCES} O=${B}/out
}

do_install () {
    install -D -m 0755 ${B}/out/tinyprof-agent ${D}/sbin/tinyprof-agent
}

FILES:${PN} = "/sbin/tinyprof-agent"

# It has neither sections to strip nor a hash table, and needs no library.
INHIBIT_PACKAGE_STRIP = "1"
INHIBIT_SYSROOT_STRIP = "1"
INSANE_SKIP:${PN} += "already-stripped ldflags usrmerge"
