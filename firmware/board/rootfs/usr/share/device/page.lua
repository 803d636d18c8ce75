-- SPDX-License-Identifier: MIT
-- The status page: a template filled in.
local template = [[
<html><head><title>$name</title></head>
<body><h1>$name</h1><p>serial $serial</p></body></html>
]]

local function first_line(path)
  local file <close> = assert(io.open(path))
  return file:read("l")
end

local facts = { name = "reference board", serial = first_line(arg[1]) }
io.write((template:gsub("%$(%w+)", facts)))
