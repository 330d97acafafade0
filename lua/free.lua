--[[ free: gives back seats that an order had bought, after its refund.
  KEYS  1-9 the event  10… the flags of the seats
  ARGV  1-2 prefixes  3 order id  4 customer  then the ordinals
  Replies  freed f n     n seats were this order's and are nobody's now; others are left alone, so a repeat answers 0
           not_ready ''
]]
read_rules()
if not epoch then return {'not_ready', ''} end
local sold, owner = 'sold:' .. ARGV[3], ARGV[4]

local ordinals, mine = {}, {}
for i = 5, #ARGV do ordinals[#ordinals + 1] = tonumber(ARGV[i]) end
for i, flag in ipairs(flags_of(ordinals)) do
  if flag == sold then mine[#mine + 1] = ordinals[i] end
end
if #mine == 0 then return {'freed', '', 0} end
can_write()
drop_flags(mine)
mark(mine, 0, 0, 0)
count(owner, -#mine)
return {'freed', tell(come_free(mine), join(mine)), #mine}
