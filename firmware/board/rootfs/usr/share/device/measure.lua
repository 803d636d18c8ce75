-- SPDX-License-Identifier: MIT
-- One round of measurements as SQL: a made-up sensor a channel, filtered, with its spread.
local round = tonumber(arg[1])
math.randomseed(20261124 + round)

local function samples(channel, count)
  local values = {}
  for i = 1, count do
    values[i] = math.sin(i / 10 + channel) + math.random() / 4
  end
  return values
end

local function filtered(values, weight)
  local smooth, last = {}, values[1]
  for i, value in ipairs(values) do
    last = last + (value - last) * weight
    smooth[i] = last
  end
  return smooth
end

print("BEGIN;")
for channel = 1, 8 do
  local values = filtered(samples(channel, 400), 0.1)
  table.sort(values)
  local median = values[#values // 2]
  print(string.format("INSERT INTO log VALUES (%d, 'channel %d', %.6f);", round, channel, median))
end
print("COMMIT;")
