################################################################################
#
# tinyprof-kernel
#
################################################################################

TINYPROF_KERNEL_VERSION = local
TINYPROF_KERNEL_SITE = $(BR2_EXTERNAL_TINYPROF_PATH)/../linux
TINYPROF_KERNEL_SITE_METHOD = local
TINYPROF_KERNEL_LICENSE = GPL-2.0

# The kernel depends on these patches, so they need no toolchain.
TINYPROF_KERNEL_ADD_TOOLCHAIN_DEPENDENCY = NO

define TINYPROF_KERNEL_LINUX_CONFIG_FIXUPS
	$(call KCONFIG_ENABLE_OPT,CONFIG_CRAMFS_XIP_FAULT)
	$(call KCONFIG_ENABLE_OPT,CONFIG_CRAMFS_TINYPROF)
endef

$(eval $(generic-package))
