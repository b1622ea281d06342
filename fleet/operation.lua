-- One operation in the store of many machines: each step of its protocol is one run of this script.
-- SPDX-License-Identifier: MIT
--
-- KEYS: the claim, the answer, the stream; all in one slot. ARGV: the verb, and what it needs.
-- The claim is a hash: s state (C claimed, S sent, A answered, R released), g generation and o owner, which are the fence,
-- u when the lease ends (ms), f fingerprint, e epoch, t when the answer was stored (ms), d it was sent before and nobody knows
-- what came of it, w somebody follows. All times are of this server; no other clock is compared.
local claim, answer, stream = KEYS[1], KEYS[2], KEYS[3]
local verb = ARGV[1]
local time = redis.call('TIME')
local now_us = time[1] * 1000000 + time[2]
local now = math.floor(now_us / 1000)

-- Most claims are of what has been answered, and that needs little. An answer that is older than they take does not count; -1: of any
-- age, -2: of none. Of an answer that has outlived its claim only its end is known.
if verb == 'claim' then
  local r = redis.call('HMGET', claim, 's', 'g', 'e', 't')
  if r[1] == 'A' or not r[1] then
    local most_age, age = tonumber(ARGV[9]), now - tonumber(r[4] or now)
    local left = (most_age == -1 or age <= most_age) and redis.call('PTTL', answer) or -2
    if left ~= -2 then
      return {'A', r[2] or '0', r[3] or '0', left, age}
    end
  end
end

local r = redis.call('HMGET', claim, 's', 'g', 'o', 'u', 'f', 'e', 't', 'd', 'w')
local state, g, owner, lease, print, epoch = r[1], r[2], r[3], tonumber(r[4] or 0), r[5], r[6] or '0'
local open = state == 'C' or state == 'S'

local function whole(number)
  return string.format('%.0f', number)
end

-- What a stream ends with; its readers wake.
local function over(how)
  redis.call('XADD', stream, '*', 'e', how)
  redis.call('PEXPIRE', stream, 60000)
end

if verb == 'claim' then
  local o, f, ms, indoubt, mismatch, dead, keep, before =
    ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5], ARGV[6], ARGV[7], ARGV[8], tonumber(ARGV[10])
  if keep == '0' then
    return {'N', g or '0', epoch}
  end
  if state == 'C' and owner == o then
    -- A try whose reply was lost.
    return {'O', g, epoch, r[8] or '0'}
  end
  if open and lease > now and g ~= dead then
    return {'B', g, epoch, lease - now, print == f and '0' or '1', state}
  end
  local doubt = '0'
  if state == 'S' or (state == 'C' and r[8] == '1') then
    if print ~= f and mismatch ~= 'replay' then
      return {'M', g, epoch}
    end
    if indoubt == 'fail' then
      return {'D', g, epoch}
    end
    doubt = print == f and '1' or '0'
  end
  -- It grows even where the record of the last one was lost, and from what that machine has counted on its own.
  local last = math.max(tonumber(g or 0), before)
  local mine = whole(now_us > last and now_us or last + 1)
  redis.call('HSET', claim, 's', 'C', 'g', mine, 'o', o, 'u', whole(now + ms), 'f', f, 'e', epoch, 'd', doubt, 'w', '0')
  redis.call('PEXPIRE', claim, keep)
  redis.call('DEL', stream)
  return {'O', mine, epoch, doubt}
end

local mine = g == ARGV[2] and owner == ARGV[3]

-- Who renews says it again: the server may have been away then.
if verb == 'sent' then
  if not (mine and open) then
    return 0
  end
  redis.call('HSET', claim, 's', 'S', 'u', whole(now + tonumber(ARGV[4])))
  return r[9] == '1' and 2 or 1
end

if verb == 'commit' then
  local record, ttl, keep, claimed_epoch = ARGV[4], ARGV[5], ARGV[6], ARGV[7]
  if mine and state == 'A' then
    return 1
  end
  -- Where no record is left, there is no other owner either. A lease that has ended says who may take over, not who may
  -- finish.
  if (state and not (mine and open)) or (not state and redis.call('EXISTS', answer) == 1) then
    return 0
  end
  if tonumber(claimed_epoch) > tonumber(epoch) then
    epoch = claimed_epoch
  end
  redis.call('SET', answer, record, 'PX', ttl)
  redis.call('HSET', claim, 's', 'A', 'g', ARGV[2], 'o', ARGV[3], 'u', '0', 'e', whole(epoch + 1), 't', whole(now),
    'd', '0')
  redis.call('PEXPIRE', claim, keep)
  over('0')
  return 1
end

if verb == 'release' then
  if not (mine and open) then
    return 0
  end
  -- Without an outcome it stays in doubt, and nobody waits for its lease. So does what was in doubt before, of an owner that
  -- has sent nothing.
  local doubt = (state == 'S' and ARGV[4] == 'unknown') or (state == 'C' and r[8] == '1')
  redis.call('HSET', claim, 's', doubt and 'S' or 'R', 'u', '0', 'd', '0')
  over('1')
  return 1
end

if verb == 'publish' then
  if not (mine and open) then
    return 0
  end
  -- One whose reply was lost is there: the stream takes no number that is not greater than its last.
  local told = redis.pcall('XADD', stream, ARGV[4] .. '-1', 'p', ARGV[5])
  if type(told) == 'table' and told.err and not string.find(told.err, 'equal or smaller', 1, true) then
    return told
  end
  redis.call('PEXPIRE', stream, 60000)
  return 1
end

if verb == 'follow' then
  if not open then
    return {state or 'N', g or '0', 0}
  end
  redis.call('HSET', claim, 'w', '1')
  return {state, g, lease - now}
end

if verb == 'remove' then
  -- An answer may have outlived its claim.
  local had = redis.call('DEL', answer)
  if not state or state == 'R' then
    return had
  end
  -- The epoch has grown with the answer already; what is in doubt keeps its own, and with it its key for upstream.
  redis.call('HSET', claim, 's', 'R', 'u', '0', 'd', '0')
  over('1')
  return 1
end

return redis.error_reply('ERR idemshim knows no verb ' .. verb)
