--[[ sweep: frees what has expired.
  KEYS  1-7 the event
  ARGV  1-2 prefixes  3 most holds of one call
  Replies  swept f more holds ordinals   more 1: others are due, call again; holds and ordinals comma-separated
           waiting '' holds              a waiting list comes first: these are due, and their seats stay taken
           not_ready ''
  A repeat finds nothing left to do: a hold is consumed once.
  Touches  isTaken:{E}:<ordinal> and hold:{E}:<hold>, which only deadlines and records can name
]]
local rules = redis.call('HMGET', META, 'epoch', 'waiting')
if not rules[1] then return {'not_ready', ''} end
local now, cap = now_ms(), tonumber(ARGV[3])
if rules[2] == '1' then
  local due = redis.call('ZRANGE', DEADLINES, '-inf', '(' .. now, 'BYSCORE', 'LIMIT', 0, cap)
  return {'waiting', '', table.concat(due, ',')}
end
local swept = sweep_due(rules[1], now, cap)
return {'swept', swept.feed, swept.more and 1 or 0, table.concat(swept.holds, ','), join(swept.freed)}
