include $(sort $(wildcard $(BR2_EXTERNAL_TINYPROF_PATH)/package/*/*.mk))
include $(sort $(wildcard $(BR2_EXTERNAL_TINYPROF_PATH)/fs/*/*.mk))
