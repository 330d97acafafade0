--[[ admit: lets the next ones of a waiting room in, as many as the pace and what is left allow.
  KEYS  1-9 the event  10 line  11 room  12 times of admission
  ARGV  1-2 prefixes  3 people a second  4 ms that a pass lasts
  Replies  admitted '' now_in waiting free   so many were let in by this call; so many still wait
           none ''                           there is no waiting room, or its sale has not begun
           not_ready ''
  Pace. Every node calls this with its own pace; each pays for the time since the last call, so that together they keep
  the mean of their paces. What was not used up is kept for one second.
  What is left. At most one person who has no seat yet is inside for each free place: whoever comes in has something
  to choose from.
]]
local rules = read_rules('room', 'opens', 'closes', 'closed')
if not epoch then return {'not_ready', ''} end
local LINE, ROOM, TIMES = KEYS[10], KEYS[11], KEYS[12]
local pace, lasts, now = tonumber(ARGV[3]), tonumber(ARGV[4]), now_ms()
local starts = tonumber(rules[5])
if rules[4] ~= '1' or rules[7] == '1' or (starts and now < starts) then return {'none', ''} end

local state = redis.call('HMGET', ROOM, 'passed', 'at', 'credit')
local passed, at, credit = tonumber(state[1] or 0), tonumber(state[2] or now), tonumber(state[3] or 1)
credit = math.min(credit + math.max(now - at, 0) * pace / 1000, math.max(pace, 1))

-- Who came in within the life of a pass is inside, and still choosing unless they have seats by now. Members are
-- `<passed before>:<customers with seats before>`, by moment.
redis.call('ZREMRANGEBYSCORE', TIMES, '-inf', now - lasts)
local first = redis.call('ZRANGE', TIMES, 0, 0)[1]
-- One of them is nobody's.
local with_seats, choosing = math.max(redis.call('HLEN', OWNERS) - 1, 0), 0
if first then
  local before, seated = string.match(first, '^(%d+):(%d+)$')
  choosing = math.max(passed - tonumber(before) - math.max(with_seats - tonumber(seated), 0), 0)
end
local bits = redis.call('STRLEN', TAKEN) * 8
local free = bits - redis.call('BITCOUNT', TAKEN)
local waiting_now = redis.call('ZCARD', LINE) - passed
local let_in = math.max(math.min(math.floor(credit), waiting_now, free - choosing), 0)
if let_in > 0 then
  redis.call('ZADD', TIMES, now, passed .. ':' .. with_seats)
  passed = passed + let_in
end
redis.call('HSET', ROOM, 'passed', passed, 'at', now, 'credit', tostring(credit - let_in))
return {'admitted', '', let_in, waiting_now - let_in, free}
