################################################################################
#
# tinyprof
#
################################################################################

TINYPROF_VERSION = local
TINYPROF_SITE = $(BR2_EXTERNAL_TINYPROF_PATH)/../..
TINYPROF_SITE_METHOD = local
TINYPROF_SETUP_TYPE = hatch
TINYPROF_LICENSE = MIT
TINYPROF_LICENSE_FILES = LICENSE
TINYPROF_OVERRIDE_SRCDIR_RSYNC_EXCLUSIONS = \
	--exclude build --exclude .venv --exclude tests
HOST_TINYPROF_OVERRIDE_SRCDIR_RSYNC_EXCLUSIONS = \
	$(TINYPROF_OVERRIDE_SRCDIR_RSYNC_EXCLUSIONS)
HOST_TINYPROF_DEPENDENCIES = host-tinyprof-click

$(eval $(host-python-package))
