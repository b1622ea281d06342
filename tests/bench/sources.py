# SPDX-License-Identifier: MIT
"""Where the figures of scripts/bench come from: each source is a function that measures several things beside each other, once,
and gives them by name.

    machine = Machine(build, directory, share, ['nginx'])
    machine.prepare('hits')                  # its stores are filled; raises Absent if something is not here
    SOURCES['hits'].measure(machine)         # {'hit 2048': 1290.0, 'limit 2048': 1080.0, ...}, in nanoseconds
    SOURCES['hits'].data                     # where its data come from, in a sentence

Times are in nanoseconds, rates are a second's, the rest as its name says. Sources that compare with and without us run both in
turns within one call of measure().
"""
import json
import os
import re
import shutil
import statistics
import subprocess
import time

from peers import Absent, Peers

MIB = 1 << 20


class Source:
    def __init__(self, measure, prepare, data, peers, pinned):
        self.measure, self.prepare, self.data, self.peers, self.pinned = measure, prepare, data, peers, pinned


SOURCES = {}


def source(data, prepare=None, peers=(), pinned=True):
    """`pinned`: it makes sense on one processor."""
    def add(measure):
        SOURCES[measure.__name__.strip('_')] = Source(measure, prepare, data, peers, pinned)
        return measure
    return add


class Machine:
    def __init__(self, build, directory, share, peers):
        self.build, self.directory, self.share = os.path.abspath(build), directory, share
        os.chmod(directory, 0o711)  # nginx gives up root
        self.peers = Peers(self.build, directory, peers)
        self.upstream = self.peers.upstream
        self.counted = 0

    def path(self, *names):
        path = os.path.join(self.directory, *names)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    def scaled(self, count):
        return max(1, count * self.share // 100)

    def environment(self, ours, store='store', **more):
        kept = {k: v for k, v in os.environ.items() if not k.startswith('IDEMSHIM_') and k != 'LD_PRELOAD'}
        kept.update(BENCH_SHARE=str(self.share))
        if self.share < 100:
            kept.setdefault('BENCH_ROUNDS', '3')
        if ours:
            kept.update(LD_PRELOAD=f'{self.build}/libidemshim.so', IDEMSHIM_CONFIG='none', IDEMSHIM_STORE=self.path('stores', store),
                        IDEMSHIM_STORE_SIZE='64G', IDEMSHIM_SYNC='off', IDEMSHIM_HOSTS=self.upstream.split('//')[1])
        kept.update(more)
        return kept

    def start(self, arguments, env, before=()):
        process = subprocess.Popen([*before, f'{self.build}/tests/{arguments[0]}', *map(str, arguments[1:])], env=env,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.peers.processes.append(process)  # it does not outlive the run
        return process

    def wait(self, process):
        out, err = process.communicate(timeout=3600)
        self.peers.processes.remove(process)
        if process.returncode:
            raise RuntimeError(f'{" ".join(process.args)} exits {process.returncode}: {err.strip()[-300:]}')
        return out

    def end(self, process):
        return {name: float(value) for name, value in (line.split('\t') for line in self.wait(process).splitlines())}

    def run(self, *arguments, ours=True, **env):
        return self.end(self.start(['bench', *arguments], self.environment(ours, **env)))

    def at_once(self, count):
        """What so many processes, started one after the other, wait for."""
        return {'BENCH_AT_NS': str(time.monotonic_ns() + 300000000 + count * 30000000)}

    def both(self, *arguments, **env):
        """The same without us and with us."""
        return {f'{who} {name}': value for who in ('bare', 'ours')
                for name, value in self.run(*arguments, ours=who == 'ours', **env).items()}

    def load(self, store, *arguments, **env):
        """store-load's own lines: words of a name and a number."""
        said = self.wait(self.start(['store-load', self.path('stores', store), *arguments], self.environment(False, **env)))
        return {name: float(value) for name, value in re.findall(r'(\w+) (-?\d+)', said)}

    def need_room(self, bytes_wanted):
        has = shutil.disk_usage(self.directory).free
        if has < bytes_wanted:
            raise Absent(f'needs {bytes_wanted // 1000000000 + 1} GB in {os.path.dirname(self.directory)} (TMPDIR), which has {has // 1000000000}')

    def timed(self, arguments, env, codes=(0,)):
        """One process: nanoseconds from its start to its end, and the most that was resident, in bytes."""
        start = time.perf_counter_ns()
        pid = os.posix_spawn(arguments[0], [str(a) for a in arguments], env,
                             file_actions=[(os.POSIX_SPAWN_OPEN, 1, '/dev/null', os.O_WRONLY, 0)])
        _, status, usage = os.wait4(pid, 0)
        took = time.perf_counter_ns() - start
        if os.waitstatus_to_exitcode(status) not in codes:
            raise RuntimeError(f'{" ".join(map(str, arguments))} exits {os.waitstatus_to_exitcode(status)}')
        return took, usage.ru_maxrss * 1024

    def command(self, *arguments, store, codes=(0,)):
        return self.timed([f'{self.build}/idemshim', *arguments], self.environment(True, store, LD_PRELOAD=''), codes)

    def bytes_on_disk(self, store, name):
        return os.stat(os.path.join(self.path('stores', store), name)).st_blocks * 512


PEERS_OF_A_HIT = ('nginx', 'varnish', 'redis', 'wiremock', 'mitmproxy')
CALLS = {'nginx': 100, 'varnish': 100, 'redis': 500, 'wiremock': 50, 'mitmproxy': 10}


@source('a request of 2,048 bytes, answers of 2,048, 65,536 and 1,048,576 bytes of the bench\'s own upstream; each peer has that of 2,048 in memory; '
        'one handle, kept alive, one call after the other', peers=PEERS_OF_A_HIT)
def hits(m):
    peers = [word for name in PEERS_OF_A_HIT if name in m.peers.origin
             for word in (name, m.peers.origin[name], m.scaled(CALLS[name]))]
    return m.run('hits', m.upstream, m.path('limits', ''), *peers, store='hits')


def random_of(count, name):
    """Hits all over a store of `count` answers, which is filled by calls."""
    def fill(m):
        m.need_room(m.scaled(count) * 15000)
        m.run('fill', m.upstream, 'size=2048', 0, m.scaled(count), store=name)

    def measure(m):
        return m.run('random', m.upstream, m.path('limits', name), m.scaled(count), store=name)
    measure.__name__ = name
    source(f'{count:,} requests and answers of 2,048 bytes, stored by live calls; the same in an LMDB of the limit; splitmix64 says which is next', fill)(measure)


random_of(100000, 'random_100k')
random_of(1000000, 'random_1m')
random_of(10000000, 'random_10m')


@source('repeats=auto and a sampled request of 2,048 bytes; an answer of 2,048 for each time that a process makes it', lambda m: sampled(m))
def sampled(m):
    return m.run('sampled', m.upstream, store='sampled', IDEMSHIM_RULES='host=127.0.0.1 repeats=auto')


@source('as the hit of 2 KB, with IDEMSHIM_DELIVERY=transport, and in a multi that is driven by curl_multi_poll()', peers=('nginx',))
def transport(m):
    if 'nginx' not in m.peers.origin:
        raise Absent(m.peers.absent['nginx'])
    return m.run('transport', m.upstream, m.peers.origin['nginx'], store='transport', IDEMSHIM_DELIVERY='transport')


@source('curl_easy_setopt(CURLOPT_TIMEOUT_MS) on one handle and on 50,000 in turn; curl_easy_perform() without a URL')
def other(m):
    return m.both('other')


@source('2,000 requests of 2,048 bytes in a multi, to a listener that accepts nobody; curl_multi_socket_action() on one of them')
def idle(m):
    return m.both('idle', m.scaled(2000))


@source('/bin/true by posix_spawn()')
def exec_(m):
    took = m.run('exec', f'{m.build}/libidemshim.so', f'{m.build}/tests/empty.so', ours=False)
    return {**took, 'ours adds': took['ours'] - took['without'], 'empty adds': took['empty'] - took['without']}


@source('different requests of 2,048 bytes, answers of 2,048; the upstream answers at once')
def live(m):
    return m.both('live', m.upstream, 'size=2048', 3000)


@source('2,000 different requests of 2,048 bytes, answers of 2,048 after 1 ms; a tape for each time')
def record(m):
    m.counted += 1
    tape = {'IDEMSHIM_TAPE': m.path('tapes', str(m.counted)), 'store': 'record'}
    calls = ('live', m.upstream, 'size=2048&wait_ms=1', 2000, 1)
    took = m.run(*calls, ours=False)
    return {'bare': took['live'], 'recorded': m.run(*calls, IDEMSHIM_MODE='record', **tape)['live'],
            'replayed': m.run(*calls, IDEMSHIM_MODE='replay', **tape)['live']}


def count_flushes(trace):
    """fdatasync, fsync, msync, and writes through a descriptor that was opened with O_DSYNC or O_SYNC."""
    synced, count = set(), 0
    for line in open(trace, errors='replace'):
        opened = re.search(r'openat\(.*?, (O_[\w|]+).* = (\d+)$', line)
        if opened:
            (synced.add if re.search(r'O_D?SYNC', opened.group(1)) else synced.discard)(opened.group(2))
        elif re.search(r' (fdatasync|fsync)\(', line) or 'MS_SYNC' in line:
            count += 1
        else:
            written = re.search(r' (?:pwrite64|pwritev|write|writev)\((\d+)', line)
            count += bool(written and written.group(1) in synced)
    return count


@source('different requests of 2,048 bytes, answers of 2,048, SYNC=on; strace counts fdatasync, fsync, msync and writes through O_DSYNC descriptors', pinned=False)
def flushes(m):
    if not shutil.which('strace'):
        raise Absent('strace is not installed (Debian: strace)')
    counts = []
    for calls in (20, 60):
        trace = m.path(f'trace.{calls}')
        env = m.environment(True, 'flushes', IDEMSHIM_SYNC='on', BENCH_SHARE='100')
        preload = env.pop('LD_PRELOAD')
        m.end(m.start(['bench', 'live', m.upstream, 'size=2048', calls], env,
                      before=['strace', '-f', '-qq', '-E', f'LD_PRELOAD={preload}', '-o', trace,
                              '-e', 'trace=openat,fdatasync,fsync,msync,pwrite64,pwritev,write,writev']))
        counts.append(count_flushes(trace))
    return {'a call': (counts[1] - counts[0]) / 40}


@source('different requests of 2,048 bytes, answers of 2,048, in a fleet; strace counts what is written to a Redis, each time for one answer of it', peers=('redis',), pinned=False)
def trips(m):
    if not shutil.which('strace'):
        raise Absent('strace is not installed (Debian: strace)')
    if not os.path.exists(f'{m.build}/libidemshim-fleet.so'):
        raise Absent('libidemshim-fleet.so is not built (Debian: libhiredis-dev, libc-ares-dev)')
    if 'redis' not in m.peers.origin:
        raise Absent(m.peers.absent['redis'])
    counts = []
    for calls in (20, 60):
        m.counted += 1
        trace = m.path(f'trips.{m.counted}')
        env = m.environment(True, f'trips.{m.counted}', IDEMSHIM_FLEET=f'redis://127.0.0.1:{m.peers.redis_port}', BENCH_SHARE='100')
        preload = env.pop('LD_PRELOAD')
        m.end(m.start(['bench', 'live', m.upstream, 'size=2048', calls, m.counted * 1000000], env,
                      before=['strace', '-f', '-qq', '-s', '1', '-E', f'LD_PRELOAD={preload}', '-o', trace, '-e', 'trace=sendto']))
        with open(trace) as file:  # a command begins so, and no request of HTTP does
            counts.append(sum('"*"' in line for line in file))
    return {'a call': (counts[1] - counts[0]) / 40}


@source('different requests of 2,048 bytes, answers of 2,048, SYNC=on, one second of: one caller; 64 threads; 16 processes of 4 threads; a multi of 64 handles', pinned=False)
def callers(m):
    env = {'store': 'callers', 'IDEMSHIM_SYNC': 'on'}
    ms = 10 * m.share + 200
    one, threads, multi = (m.run('callers', m.upstream, *how, ms, **env) for how in (('threads', 1), ('threads', 64), ('multi', 64)))
    processes = [m.start(['bench', 'callers', m.upstream, 'threads', 4, ms], m.environment(True, **env, **m.at_once(16))) for _ in range(16)]
    bare = m.run('callers', m.upstream, 'multi', 64, ms, ours=False)
    return {'one': one['rate'], 'threads': threads['rate'], 'processes': sum(m.end(p)['rate'] for p in processes),
            'multi': multi['rate'], 'turn': multi['turn'], 'bare turn': bare['turn']}


def fill_large(m):
    m.load('large', 'fill', m.scaled(200000), 1000000)
    m.run('first', m.upstream, store='small')


@source('a request of 2,048 bytes that nobody has made, in a process of its own: its call alone; a store of 200,000 answers of 200 bytes, and one of a few', fill_large)
def fresh(m):
    took = {'small': [], 'large': []}
    for _ in range(m.scaled(20)):
        for store, figures in took.items():
            figures.append(m.run('first', m.upstream, store=store)['first'])
    return {store: statistics.median(figures) for store, figures in took.items()}


def fill_first(m):
    m.run('first', m.upstream, 0, store='first')


@source('one request of 2,048 bytes in a process of its own, from its start to its end: stored, and to a host that no rule has', fill_first)
def first(m):
    hit, other_ = m.environment(True, 'first'), m.environment(True, 'first', IDEMSHIM_HOSTS='127.0.0.2')
    took = {'hit': [], 'not ours': [], 'bare': []}
    for _ in range(m.scaled(50)):
        for name, env in (('hit', hit), ('not ours', other_), ('bare', m.environment(False))):
            took[name].append(m.timed([f'{m.build}/tests/bench', 'first', m.upstream, 0], env)[0])
    return {name: statistics.median(times) for name, times in took.items()}


@source('streams of 200 events of 150 bytes, each sent by itself; `late`: one each millisecond')
def stream(m):
    return m.both('stream', m.upstream, 200, 200)


@source('a request of 2,048 bytes by two, the second 10 ms after the first, an answer after 60 ms; the copy\'s owner gives up after 30', pinned=False)
def follow(m):
    kinds = {kind: m.run('follow', m.upstream, kind, 40, store='follow') for kind in ('thread', 'process', 'forked', 'copy')}
    wakes = {kind: figures['wake'] for kind, figures in kinds.items()}
    return {**wakes, 'copy': wakes['copy'] - kinds['process']['owner']}


@source('200,000 answers of 200 bytes that are past their time, or are not; one call is asked again and again while `idemshim gc` works', pinned=False)
def gc(m):
    count = m.scaled(200000)
    for name, seconds in (('expired', 0), ('current', 1000000)):
        shutil.rmtree(m.path('stores', name), ignore_errors=True)
        m.load(name, 'fill', count, seconds)
    backlog, none = (m.load(name, 'commits', 200) for name in ('expired', 'current'))
    shutil.rmtree(m.path('stores', 'expired'))
    m.load('expired', 'fill', count, 0)
    hitting = m.start(['store-load', m.path('stores', 'expired'), 'hits', 0, 2], m.environment(False))
    time.sleep(0.5)
    took, _ = m.command('gc', store='expired')
    pause = float(re.search(r'longest_us (\d+)', m.wait(hitting)).group(1)) * 1000
    return {'rate': count * 1e9 / took, 'pause': pause,
            'beside a backlog': backlog['median_us'] * 1000, 'beside none': none['median_us'] * 1000}


@source('1,000 answers: 80 of 100 have 1 to 7 KB, 15 have 20 to 60, 5 have 200 to 800; requests of 2,048 bytes', pinned=False)
def file(m):
    shutil.rmtree(m.path('stores', 'file'), ignore_errors=True)
    stored = m.run('fill', m.upstream, 'mix', 0, m.scaled(1000), store='file')['stored']
    return {'data.mdb': m.bytes_on_disk('file', 'data.mdb'), 'stored': stored}


def fill_million(m):
    m.need_room(m.scaled(1000000) * 2000)
    m.load('million', 'fill', m.scaled(1000000), 1000000)


@source('1,000,000 answers of 200 bytes, which the command reads from outside; the most that is resident is what the kernel says at its end', fill_million)
def commands(m):
    listed = subprocess.run([f'{m.build}/idemshim', 'ls', '--limit', '1', '--json'], env=m.environment(True, 'million', LD_PRELOAD=''),
                            check=True, stdout=subprocess.PIPE, text=True).stdout
    newest = json.loads(re.search(r'\{.*\}', listed, re.S).group())['id']
    figures = {}
    for name, arguments, codes in (('ls', ['ls', '--limit', '5'], (0,)), ('show', ['show', newest], (0,)), ('explain', ['explain'], (0, 1)),
                                   ('stats', ['stats'], (0,))):
        runs = [m.command(*arguments, store='million', codes=codes) for _ in range(5)]
        figures[name] = statistics.median(took for took, _ in runs)
        figures[f'{name} resident'] = max(resident for _, resident in runs)
    return figures


@source('hits of 2 KB in two processes at once, each for a second, and in one', pinned=False)
def two(m):
    if len(os.sched_getaffinity(0)) < 2:
        raise Absent('needs two processors')
    ms, env = 10 * m.share + 100, m.environment(True, 'two')
    one = m.run('rate', m.upstream, ms, store='two')['rate']
    env.update(m.at_once(2))
    return {'one': one, 'two': sum(m.end(p)['rate'] for p in [m.start(['bench', 'rate', m.upstream, ms], env) for _ in range(2)])}


@source('RssAnon of a process after 1,000 hits and 1,000 live calls of 2 KB; of 5,000 live calls more; of 20,000 handles with a URL, headers and a body')
def memory(m):
    return m.both('memory', m.upstream, store='memory')


@source('different requests of 2,048 bytes, answers of 2,048, by a process for each: sent, asked again of the same store, of an empty one, and of a store without a '
        'fleet; a Redis on loopback by TCP, and once more by its unix socket; a server that is away is a socket that nobody has', peers=('redis',))
def fleet(m):
    if not os.path.exists(f'{m.build}/libidemshim-fleet.so'):
        raise Absent('libidemshim-fleet.so is not built (Debian: libhiredis-dev, libc-ares-dev)')
    if 'redis' not in m.peers.origin:
        raise Absent(m.peers.absent['redis'])
    m.counted += 1
    calls = ('live', m.upstream, 'size=2048', 1000, m.counted * 1000000)
    port, path = m.peers.redis_port, m.peers.origin['redis']
    shared, by_path = {'IDEMSHIM_FLEET': f'redis://127.0.0.1:{port}'}, {'IDEMSHIM_FLEET': f'unix://{path}'}
    took = {name: m.run(*calls, store=f'fleet.{store}.{m.counted}', **env)['live']
            for name, store, env in (('alone', 'alone', {}), ('hit alone', 'alone', {}), ('sent', 'here', shared), ('near', 'here', shared),
                                     ('remote', 'there', shared), ('remote by its socket', 'third', by_path), ('away', 'away', {'IDEMSHIM_FLEET': f'unix://{m.directory}/none'}))}
    return {**took, 'get': m.run('get', str(port), ours=False)['get'], 'get by its socket': m.run('get', path, ours=False)['get']}
