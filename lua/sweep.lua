--[[ sweep: frees what has expired.
  KEYS  1-9 the event
  ARGV  1-2 prefixes  3 most holds of one call
  Replies  swept f more holds ordinals   more 1: others are due, call again; holds and ordinals comma-separated
           not_ready ''
  A repeat finds nothing left to do: a hold is consumed once.
  Touches  isTaken:{E}:<ordinal> and hold:{E}:<hold>, which only deadlines and records can name
]]
read_rules()
if not epoch then return {'not_ready', ''} end
local swept = sweep_due(now_ms(), tonumber(ARGV[3]))
return {'swept', swept.feed, swept.more and 1 or 0, table.concat(swept.holds, ','), join(swept.freed)}
