--[[ sweep: frees what has expired.
  KEYS  1-9 the event
  ARGV  1-2 prefixes  3 most holds of one call
  Replies  swept f more holds ordinals next
             more 1: others are due, call again; holds and ordinals comma-separated
             next: milliseconds until one is due, '' where nobody holds anything
           not_ready ''
  A repeat finds nothing left to do: a hold is consumed once.
  Touches  isTaken:{E}:<ordinal> and hold:{E}:<hold>, which only deadlines and records can name
]]
read_rules()
if not epoch then return {'not_ready', ''} end
local now = now_ms()
local swept = sweep_due(now, tonumber(ARGV[3]))
local first = redis.call('ZRANGE', DEADLINES, 0, 0, 'WITHSCORES')[2]
local next = first and math.max(first - now, 0) or ''
return {'swept', swept.feed, swept.more and 1 or 0, table.concat(swept.holds, ','), join(swept.freed), next}
