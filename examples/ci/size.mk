# SPDX-License-Identifier: MIT
# Sizes for any CI: `make -f size.mk baseline` on the main branch, `make -f size.mk check` on a change.
# SIZE_JSON is the file that the CI keeps between the two.
TINYPROF  ?= tinyprof
ROOTFS    ?= rootfs
PROFILE   ?= boot.tprof
SIZE_JSON ?= size.json
LIMITS    ?= --max-growth 1% --max-ram-growth 32K

.PHONY: baseline check
baseline: new.cramfs
	$(TINYPROF) image diff $< --save $(SIZE_JSON) -p $(PROFILE)

# Exit code 3 of tinyprof, a limit that is exceeded, fails the target. So does a missing SIZE_JSON.
check: new.cramfs
	$(TINYPROF) image diff $< --against $(SIZE_JSON) -p $(PROFILE) $(LIMITS)

.PHONY: new.cramfs
new.cramfs:
	$(TINYPROF) build -q --compressor zlib --profile $(PROFILE) --max-stale 5% $(ROOTFS) $@
