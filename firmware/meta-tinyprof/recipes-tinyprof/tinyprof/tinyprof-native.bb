SUMMARY = "Builds CramFS images with the used pages in place"
DESCRIPTION = "Plans which pages of a root filesystem to store in place, \
builds the CramFS image, and checks it."
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://LICENSE;md5=83c52ae8c3f677d0a468b05b2d493b98"

FILESEXTRAPATHS:prepend := "${TINYPROF_SOURCE}:"
SRC_URI = "file://LICENSE file://README.md file://pyproject.toml file://docs/man file://host"
S = "${UNPACKDIR}"

PV = "local"

inherit python_hatchling native

DEPENDS += "python3-click-native"
