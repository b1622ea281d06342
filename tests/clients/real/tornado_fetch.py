# Tornado's client on pycurl, which drives libcurl by socket_action: five calls at once, one of them streamed. Usage: tornado_fetch.py URL
# SPDX-License-Identifier: MIT
import asyncio
import json
import sys

from tornado.httpclient import AsyncHTTPClient

AsyncHTTPClient.configure("tornado.curl_httpclient.CurlAsyncHTTPClient")


async def ask(client, i):
    chunks = []
    body = {"stream": i == 4, "messages": [{"role": "user", "content": f"Question {i}"}]}
    response = await client.fetch(
        sys.argv[1],
        method="POST",
        headers={"Content-Type": "application/json"},
        body=json.dumps(body),
        streaming_callback=chunks.append if i == 4 else None,
    )
    return response, chunks


async def main():
    client = AsyncHTTPClient()
    for response, chunks in await asyncio.gather(*(ask(client, i) for i in range(5))):
        print(response.code, response.reason, response.effective_url)
        for name, value in sorted(response.headers.get_all()):
            print(f"{name}: {value}")
        print(response.body, chunks)


asyncio.run(main())
