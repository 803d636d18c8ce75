################################################################################
#
# Build the cramfs root filesystem image with the used pages in place
#
################################################################################

ROOTFS_TINYPROF_DEPENDENCIES = host-tinyprof

ROOTFS_TINYPROF_PROFILE = $(call qstrip,$(BR2_TARGET_ROOTFS_TINYPROF_PROFILE))
ROOTFS_TINYPROF_FLASH_BUDGET = $(call qstrip,$(BR2_TARGET_ROOTFS_TINYPROF_FLASH_BUDGET))
ROOTFS_TINYPROF_MAX_STALE = $(call qstrip,$(BR2_TARGET_ROOTFS_TINYPROF_MAX_STALE))

ifeq ($(BR2_TARGET_ROOTFS_TINYPROF_STOCK),y)
ROOTFS_TINYPROF_KERNEL = mainline
ROOTFS_TINYPROF_SPLIT = --split-segments
else ifeq ($(BR2_TARGET_ROOTFS_TINYPROF_NOMMU),y)
ROOTFS_TINYPROF_KERNEL = nommu
else
ROOTFS_TINYPROF_KERNEL = patched
endif

ROOTFS_TINYPROF_BUILD_OPTS = \
	--kernel $(ROOTFS_TINYPROF_KERNEL) $(ROOTFS_TINYPROF_SPLIT) --no-cache \
	$(if $(filter "BIG",$(BR2_ENDIAN)),-B,-L) \
	$(call qstrip,$(BR2_TARGET_ROOTFS_TINYPROF_BUILD_OPTS))

# Compressed blocks of other builds are not used, and nothing is left in the
# user's home.
ROOTFS_TINYPROF_ENV = XDG_CACHE_HOME=$(FS_DIR)/tinyprof-cache
ROOTFS_TINYPROF_RUN = $(ROOTFS_TINYPROF_ENV) $(HOST_DIR)/bin/tinyprof

ifneq ($(ROOTFS_TINYPROF_PROFILE),)
ROOTFS_TINYPROF_BUILD_OPTS += --plan $(ROOTFS_TINYPROF_DIR)/plan
# Exit code 3: the profile is a little stale. --max-stale decides over that.
define ROOTFS_TINYPROF_PLAN
	$(ROOTFS_TINYPROF_RUN) plan $(TARGET_DIR) -p $(ROOTFS_TINYPROF_PROFILE) \
		--kernel $(ROOTFS_TINYPROF_KERNEL) $(ROOTFS_TINYPROF_SPLIT) \
		$(if $(ROOTFS_TINYPROF_FLASH_BUDGET),--flash-budget $(ROOTFS_TINYPROF_FLASH_BUDGET)) \
		$(if $(ROOTFS_TINYPROF_MAX_STALE),--max-stale $(ROOTFS_TINYPROF_MAX_STALE)) \
		-o $(ROOTFS_TINYPROF_DIR)/plan > $@.plan.txt || test $$? -eq 3
endef
endif

define ROOTFS_TINYPROF_CMD
	$(ROOTFS_TINYPROF_PLAN)
	$(ROOTFS_TINYPROF_RUN) build $(ROOTFS_TINYPROF_BUILD_OPTS) $(TARGET_DIR) $@
	$(ROOTFS_TINYPROF_RUN) image check --quick --kernel $(ROOTFS_TINYPROF_KERNEL) $@
endef

$(eval $(rootfs))
