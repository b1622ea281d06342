# Serves the repositories below a directory by git's own http-backend, for cloning and pushing. Prints its port.
# Usage: git_server.py DIRECTORY
# SPDX-License-Identifier: MIT
import gzip
import http.server
import os
import subprocess
import sys


class Handler(http.server.BaseHTTPRequestHandler):
    def backend(self):
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        cgi = {
            "GIT_PROJECT_ROOT": sys.argv[1],
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REMOTE_USER": "somebody",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
        }
        answer = subprocess.run(["git", "http-backend"], input=body, env=os.environ | cgi, stdout=subprocess.PIPE).stdout
        header, _, content = answer.partition(b"\r\n\r\n")
        lines = header.decode().split("\r\n")
        status = [line[len("Status: "):] for line in lines if line.startswith("Status: ")]
        self.send_response_only(int(status[0].split()[0]) if status else 200)
        for line in lines:
            if not line.startswith("Status: "):
                self.send_header(*line.split(": ", 1))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = backend

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
