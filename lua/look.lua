--[[ look: reads a hold. Changes nothing.
  KEYS  1-7 the event  8 record of the hold
  ARGV  1-2 prefixes  3 hold id
  Replies  found '' owner ordinals deadline first_held now order live   live 1 while all of its flags stand
           none ''
           not_ready ''
  Touches  isTaken:{E}:<ordinal>, which only the record can name
]]
local epoch = redis.call('HGET', META, 'epoch')
if not epoch then return {'not_ready', ''} end
local hold = record_of(ARGV[3], epoch)
if not hold then return {'none', ''} end
local live = hold.live and holds_all(ARGV[3], hold.ordinals)
return {'found', '', hold.owner, join(hold.ordinals), hold.deadline, hold.first, now_ms(), hold.order, live and 1 or 0}
