-- LuaJIT's ffi, two calls on one handle: an answer, then a streamed one. Usage: luajit luajit_ffi.lua URL
-- SPDX-License-Identifier: MIT
local ffi = require "ffi"

ffi.cdef [[
  typedef size_t (*take)(char *, size_t, size_t, void *);
  struct slist *curl_slist_append(struct slist *, const char *);
  void *curl_easy_init(void);
  int curl_easy_setopt(void *, int, ...);
  int curl_easy_perform(void *);
  int curl_easy_getinfo(void *, int, ...);
  void curl_easy_cleanup(void *);
]]
local curl = ffi.load "libcurl.so.4"
local URL, POSTFIELDS, HTTPHEADER, WRITEFUNCTION, HEADERFUNCTION = 10002, 10015, 10023, 20011, 20079
local RESPONSE_CODE = 0x200002

local function tell(word)
  return ffi.cast("take", function(bytes, size, count)
    io.write(word, ffi.string(bytes, size * count))
    return size * count
  end)
end

local handle = curl.curl_easy_init()
local tell_header, tell_chunk = tell "", tell "chunk: "
curl.curl_easy_setopt(handle, URL, arg[1])
curl.curl_easy_setopt(handle, HTTPHEADER, curl.curl_slist_append(nil, "Content-Type: application/json"))
curl.curl_easy_setopt(handle, HEADERFUNCTION, tell_header)
curl.curl_easy_setopt(handle, WRITEFUNCTION, tell_chunk)
for _, stream in ipairs { "false", "true" } do
  local body = '{"stream":' .. stream .. ',"messages":[{"role":"user","content":"From LuaJIT"}]}'
  local status = ffi.new("long[1]")
  curl.curl_easy_setopt(handle, POSTFIELDS, body)
  print("\n" .. curl.curl_easy_perform(handle))
  curl.curl_easy_getinfo(handle, RESPONSE_CODE, status)
  print(tonumber(status[0]))
end
curl.curl_easy_cleanup(handle)
