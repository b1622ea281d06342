-- lua-curl, two calls on one handle: an answer, then a streamed one. Usage: lua5.1 lua_curl.lua URL
-- SPDX-License-Identifier: MIT
local curl = require "curl"

local handle = curl.easy_init()
handle:setopt(curl.OPT_URL, arg[1])
handle:setopt(curl.OPT_HTTPHEADER, { "Content-Type: application/json" })
handle:setopt(curl.OPT_HEADERFUNCTION, function(line)
  io.write(line)
  return #line
end)
handle:setopt(curl.OPT_WRITEFUNCTION, function(bytes)
  io.write("chunk of ", #bytes, "\n", bytes)
  return #bytes
end)
for _, stream in ipairs { "false", "true" } do
  handle:setopt(curl.OPT_POSTFIELDS, '{"stream":' .. stream .. ',"messages":[{"role":"user","content":"From Lua"}]}')
  print()
  print(handle:perform())
end
