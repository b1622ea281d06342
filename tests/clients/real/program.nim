# Nim, whose pragma opens libcurl by name: one call that libcurl writes out itself. Usage: program-nim URL
# SPDX-License-Identifier: MIT
import std/os

{.push dynlib: "libcurl.so.4", importc, cdecl.}
proc curl_easy_init(): pointer
proc curl_easy_setopt(handle: pointer, option: cint): cint {.varargs.}
proc curl_easy_perform(handle: pointer): cint
{.pop.}

let handle = curl_easy_init()
discard handle.curl_easy_setopt(10002, paramStr(1).cstring)
discard handle.curl_easy_setopt(10015, """{"messages":[{"role":"user","content":"From Nim"}]}""".cstring)
echo handle.curl_easy_perform()
