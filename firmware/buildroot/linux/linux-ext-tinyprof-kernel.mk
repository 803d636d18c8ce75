################################################################################
#
# tinyprof's kernel part
#
################################################################################

LINUX_EXTENSIONS += tinyprof-kernel

# The folder of a series has the first two numbers of the kernel's version as
# its name. Its file mended names patches that a release of the kernel, and each
# later one, has itself.
define TINYPROF_KERNEL_PREPARE_KERNEL
	$(Q)version=`sed -n -e 's/^VERSION = //p' -e 's/^PATCHLEVEL = //p' $(LINUX_DIR)/Makefile | paste -sd.`; \
	series=$(TINYPROF_KERNEL_DIR)/series/$$version; \
	test -d $$series || \
		{ echo "tinyprof's kernel part is not for Linux $$version" >&2; exit 1; }; \
	release=`sed -n 's/^SUBLEVEL = //p' $(LINUX_DIR)/Makefile`; \
	patches=; \
	for patch in $$series/*.patch; do \
		name=$${patch##*/}; \
		from=`cat $$series/mended 2>/dev/null | sed -n "s/^$$name .*\.//p"`; \
		test "$$release" -ge "$${from:-1000000}" || patches="$$patches $$name"; \
	done; \
	$(APPLY_PATCHES) $(LINUX_DIR) $$series $$patches
endef
