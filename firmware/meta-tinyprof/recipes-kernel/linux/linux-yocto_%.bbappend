# Off until DISTRO_FEATURES has tinyprof: a layer changes nothing by being there.
require ${@bb.utils.contains('DISTRO_FEATURES', 'tinyprof', 'linux-tinyprof.inc', '', d)}
