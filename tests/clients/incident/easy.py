# easy.py HTTP_PORT TLS_PORT: a bad day of pycurl.
# SPDX-License-Identifier: MIT
import hashlib
import os
import sys

import pycurl

HTTP = f"http://127.0.0.1:{sys.argv[1]}/v1/chat/completions"
TLS = f"https://127.0.0.1:{sys.argv[2]}/v1/chat/completions"
INFOS = sorted(
    name
    for name in vars(pycurl)
    if name.isupper() and name.endswith(("_TIME", "_SIZE", "_CODE", "_IP", "_PORT", "_COUNT", "_URL", "_TYPE"))
    or name in ("OS_ERRNO", "SIZE_UPLOAD", "SIZE_DOWNLOAD", "SPEED_UPLOAD", "SPEED_DOWNLOAD", "NUM_CONNECTS",
                "SSL_VERIFYRESULT", "CONTENT_LENGTH_DOWNLOAD", "CONTENT_LENGTH_UPLOAD", "INFO_HTTP_VERSION")
)


def show(what, answer=None):
    def callback(data):
        print(" ", what, len(data), hashlib.md5(data).hexdigest())
        return answer

    return callback


def infos(handle):
    for name in INFOS:
        try:
            print(" ", name, handle.getinfo(getattr(pycurl, name)))
        except (pycurl.error, ValueError):
            pass


def ask(url, options=(), body='{"model":"m"}', answer=None):
    handle = pycurl.Curl()
    handle.setopt(pycurl.URL, url)
    handle.setopt(pycurl.POSTFIELDS, body)
    handle.setopt(pycurl.WRITEFUNCTION, show("write", answer))
    handle.setopt(pycurl.HEADERFUNCTION, show("header"))
    for option, value in options:
        handle.setopt(option, value)
    print(url)
    try:
        handle.perform()
    except pycurl.error as error:
        print(" ", error)
    print(" ", handle.errstr())
    infos(handle)
    handle.close()


for _ in range(3):
    ask(HTTP + "?mock=fail_first%3D2:429")
ask(HTTP + "?mock=chunk_delay_ms%3D30", body='{"stream":true}')
ask(HTTP + "?mock=latency_ms%3D3000", [(pycurl.TIMEOUT_MS, 200)])
ask(HTTP + "?mock=stall_ms%3D3000,size%3D20000", [(pycurl.TIMEOUT_MS, 300)])
ask(HTTP + "?mock=status%3D500", [(pycurl.FAILONERROR, 1)])
ask(HTTP + "?mock=reset%3Dbody,size%3D20000")
ask(HTTP + "?mock=reset%3Dheaders")
ask(HTTP + "?mock=truncate%3D2,size%3D20000")
ask(HTTP + "?mock=encoding%3Dgzip", [(pycurl.ACCEPT_ENCODING, "")])
ask(HTTP + "?mock=redirect%3D/v1/messages", [(pycurl.FOLLOWLOCATION, 1)])
ask("http://no-such-name.invalid/")
ask("http://127.0.0.1:1/")
ask(TLS, [(pycurl.CAINFO, os.environ["CURL_CA_BUNDLE"])])
ask(TLS, [(pycurl.CAINFO, "/dev/null")])
ask(HTTP + "?mock=size%3D50000", answer=0)
