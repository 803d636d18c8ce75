################################################################################
#
# tinyprof-click
#
################################################################################

# Buildroot has click for the target alone (python-click).
TINYPROF_CLICK_VERSION = 8.4.2
TINYPROF_CLICK_SOURCE = click-$(TINYPROF_CLICK_VERSION).tar.gz
TINYPROF_CLICK_SITE = https://files.pythonhosted.org/packages/76/d4/81420972a676e8ffea40450d8c8c92943e7218a78fe9b64359836cc9876b
TINYPROF_CLICK_SETUP_TYPE = flit
TINYPROF_CLICK_LICENSE = BSD-3-Clause
TINYPROF_CLICK_LICENSE_FILES = LICENSE.txt

$(eval $(host-python-package))
