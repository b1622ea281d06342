# pycurl's perform(), two calls on one handle: an answer, then a streamed one. Usage: pycurl_easy.py URL
# SPDX-License-Identifier: MIT
import io
import json
import os
import sys

import pycurl


def tell_header(line):
    print(line.decode("iso-8859-1"), end="")


def tell_chunk(data):
    print("chunk of", len(data))
    print(data.decode())


def tell_result(handle):
    print(handle.getinfo(pycurl.RESPONSE_CODE), handle.getinfo(pycurl.CONTENT_TYPE), handle.getinfo(pycurl.PRIMARY_IP))
    print(handle.errstr())


handle = pycurl.Curl()
handle.setopt(pycurl.URL, sys.argv[1])
handle.setopt(pycurl.HTTPHEADER, ["Content-Type: application/json"])
handle.setopt(pycurl.HEADERFUNCTION, tell_header)
if "CURL_CA_BUNDLE" in os.environ:
    handle.setopt(pycurl.CAINFO, os.environ["CURL_CA_BUNDLE"])
messages = [{"role": "user", "content": "From Python"}]

body = io.BytesIO()
handle.setopt(pycurl.POSTFIELDS, json.dumps({"messages": messages}))
handle.setopt(pycurl.WRITEDATA, body)
handle.perform()
print(body.getvalue().decode())
tell_result(handle)

handle.setopt(pycurl.POSTFIELDS, json.dumps({"stream": True, "messages": messages}))
handle.setopt(pycurl.WRITEFUNCTION, tell_chunk)
handle.perform()
tell_result(handle)
handle.close()
