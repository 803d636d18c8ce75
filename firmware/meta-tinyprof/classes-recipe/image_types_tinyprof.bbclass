# SPDX-License-Identifier: MIT
#
# The image type "tinyprof": a CramFS in which exactly the pages that a profile
# finds hot are stored in place. Without a profile nothing is in place: that is
# the image to record.
#
#   IMAGE_CLASSES += "image_types_tinyprof"
#   IMAGE_FSTYPES = "tinyprof"
#   TINYPROF_PROFILE = "/path/to/boot.tprof"

IMAGE_TYPES += "tinyprof"

# The profile: a file that 'tinyprof profile' has made.
TINYPROF_PROFILE ?= ""

# Bytes by which the image may grow: 300K, 1M. Empty: all hot pages are in place.
TINYPROF_FLASH_BUDGET ?= ""

# The kernel that maps the pages: mainline (stock), patched or nommu.
TINYPROF_KERNEL_MODEL ?= "mainline"

# Fail if a larger share of the profile's used pages is not found. Empty: never.
TINYPROF_MAX_STALE ?= "20%"

# More options of 'tinyprof build', such as --level 12.
TINYPROF_BUILD_OPTS ?= ""

TINYPROF_SPLIT = "${@'--split-segments' if d.getVar('TINYPROF_KERNEL_MODEL') == 'mainline' else ''}"
TINYPROF_BYTE_ORDER = "${@'-B' if d.getVar('SITEINFO_ENDIANNESS') == 'be' else '-L'}"
TINYPROF_PLAN_OPTS = "\
    ${@'--flash-budget ' + d.getVar('TINYPROF_FLASH_BUDGET') if d.getVar('TINYPROF_FLASH_BUDGET') else ''} \
    ${@'--max-stale ' + d.getVar('TINYPROF_MAX_STALE') if d.getVar('TINYPROF_MAX_STALE') else ''} \
"

IMAGE_CMD:tinyprof () {
    image=${IMGDEPLOYDIR}/${IMAGE_NAME}.tinyprof
    export XDG_CACHE_HOME=${WORKDIR}/tinyprof-cache
    chosen=
    if [ -n "${TINYPROF_PROFILE}" ]; then
        # Exit code 3: the profile is a little stale. --max-stale decides over that.
        tinyprof plan ${IMAGE_ROOTFS} -p ${TINYPROF_PROFILE} \
            --kernel ${TINYPROF_KERNEL_MODEL} ${TINYPROF_SPLIT} ${TINYPROF_PLAN_OPTS} \
            -o ${WORKDIR}/tinyprof.plan > $image.plan.txt || [ $? -eq 3 ]
        chosen="--plan ${WORKDIR}/tinyprof.plan"
    fi
    tinyprof build --kernel ${TINYPROF_KERNEL_MODEL} ${TINYPROF_SPLIT} --no-cache \
        ${TINYPROF_BYTE_ORDER} $chosen ${TINYPROF_BUILD_OPTS} ${IMAGE_ROOTFS} $image
    tinyprof image check --quick --kernel ${TINYPROF_KERNEL_MODEL} $image
}

do_image_tinyprof[depends] += "tinyprof-native:do_populate_sysroot"

# A new profile builds a new image.
do_image_tinyprof[file-checksums] += "${@d.getVar('TINYPROF_PROFILE') + ':True' if d.getVar('TINYPROF_PROFILE') else ''}"
