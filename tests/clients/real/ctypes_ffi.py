# Python's ctypes, two calls on one handle: an answer, then a streamed one. Usage: ctypes_ffi.py URL
# SPDX-License-Identifier: MIT
import ctypes
import sys

URL, POSTFIELDS, HTTPHEADER, WRITEFUNCTION, HEADERFUNCTION = 10002, 10015, 10023, 20011, 20079
RESPONSE_CODE = 0x200002
TAKE = ctypes.CFUNCTYPE(ctypes.c_size_t, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_void_p)

curl = ctypes.CDLL("libcurl.so.4")
curl.curl_easy_init.restype = ctypes.c_void_p
curl.curl_slist_append.restype = ctypes.c_void_p


@TAKE
def tell(data, size, count, _):
    print(size * count, ctypes.string_at(data, size * count).decode(), end="")
    return size * count


@TAKE
def tell_header(data, size, count, _):
    print(ctypes.string_at(data, size * count).decode("iso-8859-1"), end="")
    return size * count


handle = ctypes.c_void_p(curl.curl_easy_init())
headers = ctypes.c_void_p(curl.curl_slist_append(None, b"Content-Type: application/json"))
curl.curl_easy_setopt(handle, URL, sys.argv[1].encode())
curl.curl_easy_setopt(handle, HTTPHEADER, headers)
curl.curl_easy_setopt(handle, HEADERFUNCTION, tell_header)
curl.curl_easy_setopt(handle, WRITEFUNCTION, tell)
for stream in (b"false", b"true"):
    body = b'{"stream":' + stream + b',"messages":[{"role":"user","content":"From ctypes"}]}'
    status = ctypes.c_long()
    curl.curl_easy_setopt(handle, POSTFIELDS, body)
    print("\n", curl.curl_easy_perform(handle))
    curl.curl_easy_getinfo(handle, RESPONSE_CODE, ctypes.byref(status))
    print(status.value)
curl.curl_easy_cleanup(handle)
