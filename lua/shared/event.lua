--[[ event: what every script knows of an event. The service puts this text before each script.
  KEYS  1 meta  2 taken  3 sold  4 blocked  5 kept  6 deadlines  7 owners  8 feed  9 diary   (all tagged {E})
  ARGV  1 prefix of the seats' flags, "isTaken:{E}:"   2 prefix of the holds' records, "hold:{E}:"
  Replies are {code, feed id or '', detail…}: the feed id is that of the last change this call made.
  Touches  keys that only a record can name are built from the two prefixes, which carry the same tag.

  While parties wait for seats (`waiting`), a seat that comes free is kept for them: it stays taken, without a
  flag, and the public sees it held, until it is offered or nobody on the list can use it. `news` counts what
  might let a party be served that could not be before.
]]
local META, TAKEN, SOLD, BLOCKED, KEPT = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local DEADLINES, OWNERS, FEED, DIARY = KEYS[6], KEYS[7], KEYS[8], KEYS[9]
local FLAG, RECORD = ARGV[1], ARGV[2]

-- Lua passes at most some 8,000 values to one call; four values write one bit.
local BATCH = 1500
-- Entries of the feed that late readers can still catch up from.
local FEED_CAP = 10000
-- Notes for other systems that are not yet collected: a day's sale, and a bound when nobody collects.
local DIARY_CAP = 100000
-- A record outlives its seats' flags by this much (ms), so that a sweep can still read it.
local RECORD_OUTLIVES = 3600000

-- The readiness marker; whether a waiting list comes first; whether somebody collects the diary.
local epoch, waiting, hooks

-- Reads what every script must know, and the rules that this one asks for besides: they begin at 4.
local function read_rules(...)
  local rules = redis.call('HMGET', META, 'epoch', 'waiting', 'hooks', ...)
  epoch, waiting, hooks = rules[1], rules[2] == '1', rules[3] == '1'
  return rules
end

-- Before the first write of whatever changes seats: a key that somebody put another kind of thing in stops the script
-- here, and not between two writes. Records have been read by then.
local function can_write()
  redis.call('ZCARD', DEADLINES)
  redis.call('HLEN', OWNERS)
  redis.call('XLEN', FEED)
  redis.call('STRLEN', TAKEN)
  redis.call('STRLEN', SOLD)
  redis.call('STRLEN', BLOCKED)
  if waiting then redis.call('STRLEN', KEPT) end
  if hooks then redis.call('XLEN', DIARY) end
end

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function split(text)
  local numbers = {}
  for digits in string.gmatch(text or '', '%d+') do numbers[#numbers + 1] = tonumber(digits) end
  return numbers
end

local function join(numbers) return table.concat(numbers, ',') end

local function set_of(numbers)
  local set = {}
  for _, number in ipairs(numbers) do set[number] = true end
  return set
end

-- Calls once per BATCH; `each` appends the arguments of one ordinal.
local function batched(ordinals, each, call)
  for first = 1, #ordinals, BATCH do
    local args = {}
    for i = first, math.min(first + BATCH - 1, #ordinals) do each(args, ordinals[i]) end
    call(args)
  end
end

-- The seats' flags in the order asked; false where there is none.
local function flags_of(ordinals)
  local flags = {}
  batched(ordinals, function(args, ordinal) args[#args + 1] = FLAG .. ordinal end, function(args)
    for _, flag in ipairs(redis.call('MGET', unpack(args))) do flags[#flags + 1] = flag end
  end)
  return flags
end

local function drop_flags(ordinals)
  batched(ordinals, function(args, ordinal) args[#args + 1] = FLAG .. ordinal end, function(args)
    redis.call('UNLINK', unpack(args))
  end)
end

local function bits(plane, ordinals)
  local found = {}
  batched(ordinals, function(args, ordinal)
    local n = #args
    args[n + 1], args[n + 2], args[n + 3] = 'GET', 'u1', ordinal
  end, function(args)
    for _, bit in ipairs(redis.call('BITFIELD_RO', plane, unpack(args))) do found[#found + 1] = bit end
  end)
  return found
end

local function set_bits(plane, ordinals, value)
  batched(ordinals, function(args, ordinal)
    local n = #args
    args[n + 1], args[n + 2], args[n + 3], args[n + 4] = 'SET', 'u1', ordinal, value
  end, function(args) redis.call('BITFIELD', plane, unpack(args)) end)
end

-- Writes the planes of seats that share a state, and that nobody waits for any more.
local function mark(ordinals, taken, sold, blocked)
  set_bits(TAKEN, ordinals, taken)
  set_bits(SOLD, ordinals, sold)
  set_bits(BLOCKED, ordinals, blocked)
  if waiting then set_bits(KEPT, ordinals, 0) end
end

-- Seats that nobody has any more: the waiting list's, where there is one, else everybody's. Answers what they
-- look like now.
local function come_free(ordinals)
  if not waiting then
    set_bits(TAKEN, ordinals, 0)
    return 'free'
  end
  if #ordinals > 0 then
    set_bits(TAKEN, ordinals, 1)
    set_bits(KEPT, ordinals, 1)
    redis.call('HINCRBY', META, 'news', 1)
  end
  return 'held'
end

-- Appends one change to the feed: pairs of a state and its ordinals. Readers apply free, held, sold and
-- blocked in this order, so a seat may be freed and taken in one entry.
local function tell(...) return redis.call('XADD', FEED, 'MAXLEN', '~', FEED_CAP, '*', ...) end

-- A note for other systems, where one collects them. `deadline` is when a hold ends, of one that begins.
local function write_down(what, hold, owner, ordinals, deadline)
  if not hooks then return end
  redis.call('XADD', DIARY, 'MAXLEN', '~', DIARY_CAP, '*',
    'what', what, 'hold', hold, 'owner', owner, 'ordinals', join(ordinals), 'deadline', deadline or '')
end

-- Whether nothing is free: the bits of aisles, and those behind the last seat, are always set.
local function is_full() return redis.call('BITCOUNT', TAKEN) == redis.call('STRLEN', TAKEN) * 8 end

-- What a customer holds and has bought, for the limit.
local function count(owner, change)
  if change ~= 0 and redis.call('HINCRBY', OWNERS, owner, change) <= 0 then
    redis.call('HDEL', OWNERS, owner)
  end
end

-- A hold's record, or nil. `live` means that nothing has consumed it and that no rebuild came between.
local function record_of(hold)
  local r = redis.call('HMGET', RECORD .. hold,
    'owner', 'ordinals', 'deadline', 'first', 'epoch', 'order', 'gone', 'wish', 'span')
  if not r[1] then return nil end
  return {
    owner = r[1], ordinals = split(r[2]), deadline = tonumber(r[3]), first = tonumber(r[4]),
    order = r[6] or '', wish = r[8], live = r[5] == epoch and (r[7] or '') == '', span = tonumber(r[9]),
  }
end

local function holds_all(hold, ordinals)
  for _, flag in ipairs(flags_of(ordinals)) do
    if flag ~= hold then return false end
  end
  return true
end

-- Writes what a sweep, a release and a checkout will need to know of a hold, which is live from here on.
-- `span` is how long it was granted for, where that is not the event's own time.
local function keep_record(hold, record)
  redis.call('HSET', RECORD .. hold, 'owner', record.owner, 'ordinals', join(record.ordinals),
    'deadline', record.deadline, 'first', record.first, 'epoch', epoch, 'order', record.order,
    'wish', record.wish, 'span', record.span or '', 'gone', '')
  redis.call('PEXPIREAT', RECORD .. hold, record.deadline + RECORD_OUTLIVES)
  redis.call('ZADD', DEADLINES, record.deadline, hold)
end

-- A hold is consumed once: its record stays, marked, so that a late repeat is not granted anew.
local function consume(hold, how)
  redis.call('ZREM', DEADLINES, hold)
  redis.call('HSET', RECORD .. hold, 'gone', how)
end

-- What a flag says of its seat.
local function state_of(flag)
  if flag == 'blocked' then return 'blocked' end
  if string.sub(flag, 1, 5) == 'sold:' then return 'sold' end
  return 'held'
end
