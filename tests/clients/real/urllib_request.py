# Python's own HTTP stack, in which libcurl has no part: one call. Usage: urllib_request.py URL
# SPDX-License-Identifier: MIT
import sys
import urllib.request

print(urllib.request.urlopen(sys.argv[1], b'{"messages":[{"role":"user","content":"From urllib"}]}').read().decode())
