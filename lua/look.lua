--[[ look: reads a hold. Changes nothing.
  KEYS  1-9 the event  10 record of the hold
  ARGV  1-2 prefixes  3 hold id
  Replies  found '' owner ordinals deadline first_held now order live span   live is 1 while all of its flags stand,
                   span is '' where the hold lasts as long as its event says
           none ''
           not_ready ''
  Touches  isTaken:{E}:<ordinal>, which only the record can name
]]
read_rules()
if not epoch then return {'not_ready', ''} end
local hold = record_of(ARGV[3])
if not hold then return {'none', ''} end
local live = hold.live and holds_all(ARGV[3], hold.ordinals)
return {'found', '', hold.owner, join(hold.ordinals), hold.deadline, hold.first, now_ms(), hold.order, live and 1 or 0,
  hold.span or ''}
