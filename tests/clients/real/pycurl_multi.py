# pycurl's CurlMulti with select(): five calls at once, one of them streamed. Usage: pycurl_multi.py URL
# SPDX-License-Identifier: MIT
import json
import sys

import pycurl

multi = pycurl.CurlMulti()
calls = []
for i in range(5):
    call = {"handle": pycurl.Curl(), "headers": [], "chunks": [], "result": None}
    body = {"stream": i == 4, "messages": [{"role": "user", "content": f"Question {i}"}]}
    call["handle"].setopt(pycurl.URL, sys.argv[1])
    call["handle"].setopt(pycurl.HTTPHEADER, ["Content-Type: application/json"])
    call["handle"].setopt(pycurl.POSTFIELDS, json.dumps(body))
    call["handle"].setopt(pycurl.HEADERFUNCTION, call["headers"].append)
    call["handle"].setopt(pycurl.WRITEFUNCTION, call["chunks"].append)
    multi.add_handle(call["handle"])
    calls.append(call)


def perform():
    while True:
        code, running = multi.perform()
        if code != pycurl.E_CALL_MULTI_PERFORM:
            return running


def collect():
    _, good, bad = multi.info_read()
    for call in calls:
        if call["handle"] in good:
            call["result"] = "done"
    for handle, code, text in bad:
        calls[[call["handle"] for call in calls].index(handle)]["result"] = (code, text)


while perform():
    multi.select(1.0)
collect()
for call in calls:
    print(b"".join(call["headers"]).decode("iso-8859-1"))
    print(call["chunks"])
    print(call["result"], call["handle"].getinfo(pycurl.RESPONSE_CODE))
    multi.remove_handle(call["handle"])
    call["handle"].close()
multi.close()
