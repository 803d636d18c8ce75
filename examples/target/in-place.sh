#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Says on a running device whether its kernel maps pages of the CramFS root
# from flash. It needs a shell and /proc, and nothing else: no awk, no grep.
#
#   sh in-place.sh          exit code 0: yes, 1: no, 2: this kernel does not tell
#
# A mapping with pages in place carries VM_MIXEDMAP ("mm") or VM_PFNMAP ("pf"),
# which /proc/PID/smaps shows (CONFIG_PROC_PAGE_MONITOR). /proc/PID/maps does
# not tell. An argument names another folder than /proc.

proc=${1:-/proc}

say() {
	echo "in place: $1: $2"
}

# The last mount on / counts: the first may be the kernel's own rootfs.
device= kind=
while read -r what where type _; do
	if [ "$where" = / ]; then
		device=$what kind=$type
	fi
done < "$proc/mounts"
echo "root: ${kind:-unknown} on ${device:-unknown}"

cached=0 shared=0 faults=0
while read -r name number _; do
	case $name in
	Cached:) cached=$number ;;
	Shmem:) shared=$number ;;
	esac
done < "$proc/meminfo"
while read -r name number; do
	if [ "$name" = pgmajfault ]; then
		faults=$number
	fi
done < "$proc/vmstat"
echo "page cache: $((cached - shared)) KiB, major faults since boot: $faults"

if [ "$kind" != cramfs ]; then
	say no "the root is no CramFS"
	exit 1
fi
case $device in
*mtdblock* | */ram* | */loop* | */mmcblk* | */sd*)
	say no "CramFS on a block device is never mapped: boot with root=mtd0 or root=mtd:NAME"
	exit 1
	;;
esac

# A line with a range of addresses begins a mapping. Its fourth word is the
# device, and that of an MTD has the major number 1f.
mappings=0 mapped=0 in_ram=0 told=
for smaps in "$proc"/[0-9]*/smaps; do
	of_root=
	while read -r first second third fourth rest; do
		case $first in
		VmFlags:)
			told=yes
			case $of_root" $second $third $fourth $rest " in
			yes*" mm "* | yes*" pf "*) mapped=$((mapped + 1)) ;;
			esac
			;;
		Rss:)
			[ -z "$of_root" ] || in_ram=$((in_ram + second))
			;;
		Anonymous:)
			# Private copies are no matter of the image.
			[ -z "$of_root" ] || in_ram=$((in_ram - second))
			;;
		*-*)
			of_root=
			case $fourth in
			1f:*)
				of_root=yes
				mappings=$((mappings + 1))
				;;
			esac
			;;
		esac
	done < "$smaps"
done 2> /dev/null

if [ -z "$told" ]; then
	say unknown "no /proc/PID/smaps here: the kernel lacks CONFIG_PROC_PAGE_MONITOR"
	exit 2
fi
echo "mappings of files in flash: $mappings, with pages in place: $mapped; mapped from RAM: $in_ram KiB"
if [ "$mapped" -eq 0 ]; then
	say no "the image has nothing in place, or is for another kernel ('tinyprof doctor IMAGE')"
	exit 1
fi
say yes "$mapped of $mappings mappings have pages that are read from flash"
