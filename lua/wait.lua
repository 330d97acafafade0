--[[ wait: says that parties wait for seats, or that what is kept for them is of no use to anybody on the list.
  KEYS  1-9 the event
  ARGV  1-2 prefixes  3 begin, pass or end  4 the news that the caller has seen (pass and end)
        5 most seats of one call (pass and end)
  Replies  waiting '' news     begin: from here on what comes free is kept; also the answer to a repeat
           passed f n more     n kept seats are everybody's now; more 1: others are kept, call again. With `end`,
                               the last call also says that nobody waits
           changed '' news     something came free or somebody came since: the list is asked anew, nothing is let go
           not_ready ''
]]
read_rules()
if not epoch then return {'not_ready', ''} end
if ARGV[3] == 'begin' then
  redis.call('HSET', META, 'waiting', 1)
  return {'waiting', '', redis.call('HINCRBY', META, 'news', 1)}
end
local news = redis.call('HGET', META, 'news') or '0'
if news ~= ARGV[4] then return {'changed', '', news} end

local kept, at, cap = {}, 0, tonumber(ARGV[5])
while #kept < cap do
  at = redis.call('BITPOS', KEPT, 1, at, -1, 'BIT')
  if at < 0 then break end
  kept[#kept + 1], at = at, at + 1
end
local more = at >= 0 and redis.call('BITPOS', KEPT, 1, at, -1, 'BIT') >= 0
-- Model: LetGo
set_bits(KEPT, kept, 0)
set_bits(TAKEN, kept, 0)
if not more then
  redis.call('UNLINK', KEPT)
  if ARGV[3] == 'end' then redis.call('HSET', META, 'waiting', 0) end
end
return {'passed', #kept > 0 and tell('free', join(kept)) or '', #kept, more and 1 or 0}
