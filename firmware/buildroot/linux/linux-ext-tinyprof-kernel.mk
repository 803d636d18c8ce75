################################################################################
#
# tinyprof's kernel part
#
################################################################################

LINUX_EXTENSIONS += tinyprof-kernel

# The folder of a series has the first two numbers of the kernel's version as
# its name.
define TINYPROF_KERNEL_PREPARE_KERNEL
	$(Q)version=`sed -n -e 's/^VERSION = //p' -e 's/^PATCHLEVEL = //p' $(LINUX_DIR)/Makefile | paste -sd.`; \
	series=$(TINYPROF_KERNEL_DIR)/series/$$version; \
	test -d $$series || \
		{ echo "tinyprof's kernel part is not for Linux $$version" >&2; exit 1; }; \
	$(APPLY_PATCHES) $(LINUX_DIR) $$series \*.patch
endef
