# SPDX-License-Identifier: MIT
"""The servers of a run of scripts/bench: the upstream, and the caches that people put in front of one.

    peers = Peers(build, directory, ['nginx', 'redis'])
    peers.origin['nginx']          # an address, a path for Redis; not there if the peer is absent
    peers.absent['varnish']        # why
    peers.pin({3})                 # all of them, to these processors
    peers.stop()

All are on loopback, at ports that the kernel has picked, in directories of their own, and end with the run. Each answers from
memory, keeps connections open, and tells requests apart by their bodies.
"""
import glob
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request

NGINX = '''
worker_processes 1;
daemon off;
pid {dir}/pid;
error_log {dir}/error.log;
events {{}}
http {{
  access_log off;
  keepalive_requests 100000000;
  client_body_temp_path {dir}/body;
  proxy_temp_path {dir}/proxy;
  fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
  client_body_buffer_size 64k;
  proxy_cache_path {dir}/cache keys_zone=answers:10m;
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://127.0.0.1:{upstream};
      proxy_cache answers;
      proxy_cache_methods POST;
      proxy_cache_key "$request_uri|$http_authorization|$request_body";
      proxy_cache_valid 200 1h;
      proxy_buffers 64 64k;
    }}
  }}
}}
'''

VARNISH = '''
vcl 4.1;
import std;
import bodyaccess;
backend default {{ .host = "127.0.0.1"; .port = "{upstream}"; }}
sub vcl_recv {{
  if (req.method == "POST") {{
    std.cache_req_body(64KB);
    return (hash);
  }}
}}
sub vcl_hash {{
  bodyaccess.hash_req_body();
  hash_data(req.http.Authorization);
}}
sub vcl_backend_fetch {{ set bereq.method = "POST"; }}
sub vcl_backend_response {{ set beresp.ttl = 1h; }}
'''


class Absent(Exception):
    """A peer that is not here; the text says what would bring it."""


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def need(program, package):
    path = shutil.which(program, path=os.environ.get('PATH', '') + ':/usr/sbin:/sbin')
    if not path:
        raise Absent(f'{program} is not installed (Debian: {package})')
    return path


class Peers:
    def __init__(self, build, directory, wanted):
        self.build, self.directory = build, directory
        self.processes, self.origin, self.absent = [], {}, {}
        self.upstream = self.start_upstream()
        for name in wanted:
            where = os.path.join(directory, name)
            os.makedirs(where)
            try:
                self.origin[name] = getattr(self, 'start_' + name)(where)
            except (Absent, OSError, subprocess.SubprocessError) as why:
                self.absent[name] = str(why)

    def start(self, arguments, where, **options):
        log = open(os.path.join(where, 'log'), 'ab')
        process = subprocess.Popen(arguments, stdin=options.pop('stdin', subprocess.DEVNULL),
                                   stdout=options.pop('stdout', log), stderr=log, **options)
        self.processes.append(process)
        return process

    def start_upstream(self):
        process = self.start([f'{self.build}/tests/bench', 'serve'], self.directory, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        return f'http://127.0.0.1:{int(process.stdout.readline())}'

    def port_of_upstream(self):
        return self.upstream.rsplit(':', 1)[1]

    def request(self):
        return subprocess.run([f'{self.build}/tests/bench', 'request'], check=True, stdout=subprocess.PIPE).stdout.decode()

    def ask(self, origin):
        """One call as the bench makes it, so that the peer has its answer."""
        call = urllib.request.Request(f'{origin}/v1/chat/completions?size=2048', self.request().encode(),
                                      {'Content-Type': 'application/json', 'Authorization': 'Bearer bench-credential'})
        with urllib.request.urlopen(call, timeout=10) as answer:
            return answer.read()

    def wait(self, process, origin, log):
        for _ in range(600):
            if process.poll() is not None:
                break
            try:
                return self.ask(origin)
            except OSError:
                time.sleep(0.05)
        with open(log, errors='replace') as f:
            raise Absent(f'{os.path.basename(process.args[0])} does not answer: {f.read()[-300:].strip()}')

    def start_http(self, where, port, arguments):
        process = self.start(arguments, where)
        origin = f'http://127.0.0.1:{port}'
        self.wait(process, origin, os.path.join(where, 'log'))
        return origin

    def start_nginx(self, where):
        program, port, conf = need('nginx', 'nginx-light'), free_port(), f'{where}/nginx.conf'
        with open(conf, 'w') as f:
            f.write(NGINX.format(dir=where, port=port, upstream=self.port_of_upstream()))
        return self.start_http(where, port, [program, '-c', conf, '-e', f'{where}/error.log'])

    def start_varnish(self, where):
        program, port, vcl = need('varnishd', 'varnish, varnish-modules'), free_port(), f'{where}/bench.vcl'
        with open(vcl, 'w') as f:
            f.write(VARNISH.format(upstream=self.port_of_upstream()))
        return self.start_http(where, port, [program, '-F', '-j', 'none', '-n', f'{where}/work', '-a', f'127.0.0.1:{port}', '-f', vcl,
                                             '-s', 'malloc,256m', '-p', 'thread_pools=1', '-p', 'thread_pool_min=10'])

    def start_redis(self, where):
        path, self.redis_port = f'{where}/socket', free_port()
        process = self.start([need('redis-server', 'redis-server'), '--bind', '127.0.0.1', '--port', str(self.redis_port), '--unixsocket', path, '--save', '',
                              '--appendonly', 'no', '--dir', where], where)
        for _ in range(200):
            if os.path.exists(path):
                return path
            if process.poll() is not None:
                break
            time.sleep(0.05)
        raise Absent('redis-server did not start')

    def start_wiremock(self, where):
        java, port = need('java', 'default-jre-headless'), free_port()
        jar = sorted(glob.glob('build/bench/node_modules/wiremock/build/*.jar'))
        if not jar:
            raise Absent('WireMock is not installed (npm install --prefix build/bench wiremock)')
        os.makedirs(f'{where}/mappings')
        with open(f'{where}/mappings/answer.json', 'w') as f:
            json.dump({'request': {'method': 'POST', 'url': '/v1/chat/completions?size=2048',
                                   'headers': {'Authorization': {'equalTo': 'Bearer bench-credential'}},
                                   'bodyPatterns': [{'equalTo': self.request()}]},
                       'response': {'status': 200, 'headers': {'Content-Type': 'application/json'},
                                    'body': self.ask(self.upstream).decode()}}, f)
        return self.start_http(where, port, [java, '-jar', jar[-1], '--port', str(port), '--bind-address', '127.0.0.1',
                                             '--root-dir', where, '--no-request-journal', '--disable-banner'])

    def start_mitmproxy(self, where):
        program, port, flows = need('mitmdump', 'mitmproxy'), free_port(), f'{where}/flows'
        common = [program, '-q', '--set', f'confdir={where}', '--mode', f'reverse:{self.upstream}', '--listen-host', '127.0.0.1',
                  '--listen-port', str(port)]
        recording = self.start(common + ['-w', flows], where)
        self.wait(recording, f'http://127.0.0.1:{port}', f'{where}/log')
        recording.terminate()
        recording.wait()
        self.processes.remove(recording)
        return self.start_http(where, port, common + ['--server-replay', flows, '--set', 'server_replay_nopop=true',
                                                      '--set', 'server_replay_kill_extra=true'])

    def pids(self):
        children = {}
        for entry in filter(str.isdigit, os.listdir('/proc')):
            try:
                with open(f'/proc/{entry}/stat') as f:
                    children.setdefault(int(f.read().rsplit(')', 1)[1].split()[1]), []).append(int(entry))
            except OSError:
                continue
        found = [p.pid for p in self.processes]
        for pid in found:
            found += children.get(pid, [])
        return found

    def pin(self, processors):
        for pid in self.pids():
            try:
                for thread in os.listdir(f'/proc/{pid}/task'):
                    os.sched_setaffinity(int(thread), processors)
            except OSError:
                continue

    def stop(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
