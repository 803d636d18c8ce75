################################################################################
#
# tinyprof-agent
#
################################################################################

TINYPROF_AGENT_VERSION = local
TINYPROF_AGENT_SITE = $(BR2_EXTERNAL_TINYPROF_PATH)/../..
TINYPROF_AGENT_SITE_METHOD = local
TINYPROF_AGENT_LICENSE = MIT, GPL-2.0 WITH Linux-syscall-note (header)
TINYPROF_AGENT_LICENSE_FILES = LICENSE
TINYPROF_AGENT_OVERRIDE_SRCDIR_RSYNC_EXCLUSIONS = \
	--exclude build --exclude .venv --exclude tests

TINYPROF_AGENT_NOLIBC = $(or \
	$(call qstrip,$(BR2_PACKAGE_TINYPROF_AGENT_NOLIBC)), \
	$(LINUX_DIR)/tools/include/nolibc)
TINYPROF_AGENT_DEPENDENCIES = linux

ifeq ($(BR2_PACKAGE_TINYPROF_AGENT_KERNEL),y)
TINYPROF_AGENT_SOURCES = kernel
else
TINYPROF_AGENT_SOURCES = all
define TINYPROF_AGENT_LINUX_CONFIG_FIXUPS
	$(call KCONFIG_ENABLE_OPT,CONFIG_PERF_EVENTS)
	$(call KCONFIG_ENABLE_OPT,CONFIG_PROC_PAGE_MONITOR)
	$(call KCONFIG_ENABLE_OPT,CONFIG_DEBUG_FS)
	$(call KCONFIG_ENABLE_OPT,CONFIG_FTRACE)
	$(call KCONFIG_ENABLE_OPT,CONFIG_ENABLE_DEFAULT_TRACERS)
endef
endif

define TINYPROF_AGENT_BUILD_CMDS
	test -d $(TINYPROF_AGENT_NOLIBC) || \
		{ echo "no nolibc in $(TINYPROF_AGENT_NOLIBC): set BR2_PACKAGE_TINYPROF_AGENT_NOLIBC" >&2; exit 1; }
	$(TARGET_MAKE_ENV) $(MAKE) -C $(@D)/agent target \
		CROSS_COMPILE=$(TARGET_CROSS) \
		NOLIBC=$(TINYPROF_AGENT_NOLIBC) \
		SOURCES=$(TINYPROF_AGENT_SOURCES) O=$(@D)/out
endef

define TINYPROF_AGENT_INSTALL_TARGET_CMDS
	$(INSTALL) -D -m 0755 $(@D)/out/tinyprof-agent \
		$(TARGET_DIR)/sbin/tinyprof-agent
endef

$(eval $(generic-package))
