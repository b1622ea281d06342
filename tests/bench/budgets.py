# SPDX-License-Identifier: MIT
"""The budgets, and how they are told: a row for each, which scripts/bench measures and scripts/performance writes into the docs."""

# How the figure and what it is against become the ratio, and whether that meets the budget.
HOW = {
    'at most': (lambda a, b: a / b, lambda ratio, budget: ratio <= budget, '×'),
    'at least': (lambda a, b: a / b, lambda ratio, budget: ratio >= budget, '×'),
    'faster': (lambda a, b: b / a, lambda ratio, budget: ratio >= budget, '× faster'),
    'more': (lambda a, b: a - b, lambda ratio, budget: ratio <= budget, '+'),
    'itself': (lambda a, b: a, lambda ratio, budget: ratio <= budget, ''),
    'itself, at least': (lambda a, b: a, lambda ratio, budget: ratio >= budget, ''),
}
ONE, ALL = 'one processor', 'all processors'

US, MS, MB = 1e3, 1e6, 1e6
# name, what, source, figure, against, its figure (of the same source; 'SOURCE/FIGURE': of another), how, budget, unit
ROWS = [
    ('hit-2k', 'hit of 2 KB', 'hits', 'hit 2048', 'SHA-256 + LMDB get + memcpy', 'limit 2048', 'at most', 0.6, 'ns'),
    ('hit-2k-xxh3', 'hit of 2 KB', 'hits', 'hit 2048', 'XXH3-128 + get + memcmp + memcpy', 'limit by XXH3 2048', 'at most', 2.5, 'ns'),
    ('hit-64k', 'hit of 64 KB', 'hits', 'hit 65536', 'SHA-256 + LMDB get + memcpy', 'limit 65536', 'at most', 1.1, 'ns'),
    ('hit-1m', 'hit of 1 MB', 'hits', 'hit 1048576', 'SHA-256 + LMDB get + memcpy', 'limit 1048576', 'at most', 1.1, 'ns'),
    ('hit-nginx', 'hit of 2 KB', 'hits', 'hit 2048', 'nginx proxy_cache', 'nginx', 'faster', 60, 'ns'),
    ('hit-varnish', 'hit of 2 KB', 'hits', 'hit 2048', 'Varnish with bodyaccess', 'varnish', 'faster', 60, 'ns'),
    ('hit-redis', 'hit of 2 KB', 'hits', 'hit 2048', 'SHA-256 + Redis GET, unix socket', 'redis', 'faster', 15, 'ns'),
    ('hit-wiremock', 'hit of 2 KB', 'hits', 'hit 2048', 'WireMock', 'wiremock', 'faster', 200, 'ns'),
    ('hit-mitmproxy', 'hit of 2 KB', 'hits', 'hit 2048', 'mitmproxy, server replay', 'mitmproxy', 'faster', 1000, 'ns'),
    ('random-100k', 'hit, random of 100,000', 'random_100k', 'hit', 'SHA-256 + get + memcpy, the same data', 'limit', 'at most', 1.2, 'ns'),
    ('random-1m', 'hit, random of 1,000,000', 'random_1m', 'hit', 'SHA-256 + get + memcpy, the same data', 'limit', 'at most', 1.2, 'ns'),
    ('random-1m-100k', 'hit, random of 1,000,000', 'random_1m', 'hit', 'of 100,000', 'random_100k/hit', 'at most', 1.5, 'ns'),
    ('random-10m-100k', 'hit, random of 10,000,000', 'random_10m', 'hit', 'of 100,000', 'random_100k/hit', 'at most', 2, 'ns'),
    ('hit-sampled', 'hit of a sample, 2 KB', 'sampled', 'sampled', 'SHA-256 + LMDB get + memcpy', 'hits/limit 2048', 'at most', 5, 'ns'),
    ('transport-2k', 'hit of 2 KB through libcurl', 'transport', 'hit', 'nginx proxy_cache', 'peer', 'at most', 0.5, 'ns'),
    ('transport-multi', 'hit of 2 KB in a multi', 'transport', 'hit in a multi', 'nginx proxy_cache, in a multi', 'peer in a multi', 'at most', 0.5, 'ns'),
    ('setopt', 'setopt, not ours', 'other', 'ours setopt', 'without us', 'bare setopt', 'more', 3, 'ns'),
    ('perform', 'perform, not ours', 'other', 'ours perform', 'without us', 'bare perform', 'more', 20, 'ns'),
    ('handles', 'setopt, 50,000 handles in turn', 'other', 'ours setopt in turn', 'without us', 'bare setopt in turn', 'at most', 2, 'ns'),
    ('idle', 'a turn of a multi, 2,000 calls wait', 'idle', 'ours idle', 'without us', 'bare idle', 'at most', 1.5, 'ns'),
    ('exec', 'exec without libcurl, what we add', 'exec', 'ours adds', 'what an empty preload adds', 'empty adds', 'at most', 1.15, 'ns'),
    ('live', 'live call, SYNC=off', 'live', 'ours live', 'without us', 'bare live', 'more', 40 * US, 'ns'),
    ('record', 'a call of 1 ms, recorded', 'record', 'recorded', 'without us', 'bare', 'at most', 1.05, 'ns'),
    ('replay', 'a call of 1 ms, replayed', 'record', 'replayed', 'without us', 'bare', 'at most', 0.05, 'ns'),
    ('flushes', 'flushes of a durable live call', 'flushes', 'a call', None, None, 'itself', 2, ''),
    ('callers-threads', 'durable, 64 threads', 'callers', 'threads', 'one caller', 'one', 'at least', 12, '/s'),
    ('callers-processes', 'durable, 16 processes of 4 threads', 'callers', 'processes', 'one caller', 'one', 'at least', 12, '/s'),
    ('callers-multi', 'durable, a multi of 64 handles', 'callers', 'multi', 'one caller', 'one', 'at least', 12, '/s'),
    ('loop', 'the longest wait in a turn of that multi', 'callers', 'turn', 'without us', 'bare turn', 'more', MS, 'ns'),
    ('fresh', 'first live call of a process, 200,000 answers', 'fresh', 'large', 'an empty store', 'small', 'at most', 1.3, 'ns'),
    ('first-hit', 'a process with a hit', 'first', 'hit', 'one with a call that is not ours', 'not ours', 'more', 300 * US, 'ns'),
    ('stream-chunk', 'a stream, for each event', 'stream', 'ours chunk', 'without us', 'bare chunk', 'more', US, 'ns'),
    ('stream-late', 'a stream, how late an event is', 'stream', 'ours late', 'without us', 'bare late', 'more', US, 'ns'),
    ('stream-end', 'a stream, after its last byte', 'stream', 'ours end', 'without us', 'bare end', 'more', 40 * US, 'ns'),
    ('wake-thread', 'a follower wakes, in a thread', 'follow', 'thread', None, None, 'itself', 100 * US, 'ns'),
    ('wake-process', 'a follower wakes, in another process', 'follow', 'process', None, None, 'itself', 100 * US, 'ns'),
    ('wake-forked', 'a follower wakes, the owner was forked for its call', 'follow', 'forked', None, None, 'itself', 100 * US, 'ns'),
    ('wake-copy', 'a follower wakes, a copy has finished the call', 'follow', 'copy', None, None, 'itself', 100 * US, 'ns'),
    ('gc', 'gc, answers a second', 'gc', 'rate', None, None, 'itself, at least', 200000, '/s'),
    ('gc-pause', 'the longest hit beside gc', 'gc', 'pause', None, None, 'itself', MS, 'ns'),
    ('backlog', 'a commit beside 200,000 expired answers', 'gc', 'beside a backlog', 'beside as many current ones', 'beside none', 'at most', 1.2, 'ns'),
    ('file', 'data.mdb', 'file', 'data.mdb', 'what was stored', 'stored', 'at most', 1.3, 'B'),
    *((f'{name}{end}', f'{what}, 1,000,000 answers{", resident" if end else ""}', 'commands', f'{name}{end.replace("-", " ")}', None, None,
       'itself', 50 * (MB if end else MS), 'B' if end else 'ns')
      for name, what in (('ls', '`ls --limit 5`'), ('show', '`show`'), ('explain', '`explain`'), ('stats', '`stats`')) for end in ('', '-resident')),
    ('two-processes', 'hits a second of two processes', 'two', 'two', 'one process', 'one', 'at least', 1.9, '/s'),
    ('memory', 'memory of a process', 'memory', 'ours process', 'without us', 'bare process', 'more', MB, 'B'),
    ('memory-handle', 'memory of a handle', 'memory', 'ours handle', 'without us', 'bare handle', 'more', 512, 'B'),
    ('fleet-near', 'hit of what this machine has, in a fleet', 'fleet', 'near', 'without a fleet', 'hit alone', 'at most', 1.05, 'ns'),
    ('fleet-remote', 'hit of what another machine has', 'fleet', 'remote', 'SHA-256 + Redis GET, TCP', 'get', 'at most', 2.5, 'ns'),
    ('fleet-remote-socket', 'the same', 'fleet', 'remote by its socket', 'SHA-256 + Redis GET, unix socket', 'get by its socket', 'at most', 2.5, 'ns'),
    ('fleet-live', 'round trips that a live call waits for', 'trips', 'a call', None, None, 'itself', 3, ''),
    ('fleet-away', 'live call, the server of the fleet is away', 'fleet', 'away', 'without a fleet', 'alone', 'more', US, 'ns'),
    ('memory-left', 'memory left by a live call', 'memory', 'ours transfer', 'without us', 'bare transfer', 'more', 8, 'B'),
]
# Judged with all processors: the server of a fleet is another machine, which does not share the caller's.
APART = {'fleet-remote', 'fleet-remote-socket'}
FIELDS = ('row', 'what', 'source', 'figure', 'against', 'base', 'how', 'budget', 'unit')


def human(value, unit):
    """Of nanoseconds, bytes, a rate or a number, three digits and what they are of."""
    scales = {'ns': ((1e9, 's'), (MS, 'ms'), (US, 'µs'), (1, 'ns')), 'B': ((1e9, 'GB'), (MB, 'MB'), (1e3, 'kB'), (1, 'B'))}
    for scale, name in scales.get(unit, ()):
        if abs(value) >= scale or scale == 1:
            return f'{value / scale:.{0 if abs(value) >= 100 * scale else 1 if abs(value) >= 10 * scale else 2}f} {name}'
    return f'{value:,.0f}{unit}' if abs(value) >= 100 else f'{value:.1f}{unit}'


def shown(row, value):
    """A ratio or a budget of the row, as its HOW has it."""
    form = HOW[row['how']][2]
    if form == '+':
        return f'{"+" if value >= 0 else "-"} {human(abs(value), row["unit"])}'
    return f'{value:,.{0 if value >= 100 else 1 if value >= 10 else 2 if value >= 0.1 else 3}f} {form}' if form else human(value, row['unit'])


HEAD = ['what', 'measured', 'against', 'ratio', 'all processors', 'budget', 'verdict']


def cells(row):
    """A row that was measured, as HEAD has it. The ratio is of the processors that are judged; that of all is beside it."""
    figures = row.get(row.get('judged'))
    budget = shown(row, row['budget'])
    if not figures:
        return [row['what'], '', row['against'] or '', '', '', budget, row['verdict']]
    against = f'{human(figures["against"], row["unit"])}: {row["against"]}' if row['against'] else ''
    other = row[ALL]['ratio'] if row['judged'] == ONE and ALL in row else None
    pinned = f'; one processor for both: {shown(row, row[ONE]["ratio"])}' if row['judged'] == ALL and ONE in row else ''
    return [row['what'], human(figures['measured'], row['unit']), against, shown(row, figures['ratio']),
            shown(row, other) if other is not None else '', budget, row['verdict'] + pinned]
