--[[ free: gives back seats that an order had bought, after its refund.
  KEYS  1-9 the event  10 as in in_turn  11… the flags of the seats
  ARGV  1-2 prefixes  3-4 as in in_turn  5 customer  then the ordinals
  Replies  freed f n     n seats were this order's and are nobody's now; others are left alone, so a repeat, and what is
                         overtaken, answers 0
           not_ready ''
]]
read_rules()
if not epoch then return {'not_ready', ''} end
if is_overtaken() then return {'freed', '', 0} end
local sold, owner = 'sold:' .. ARGV[3], ARGV[5]

local ordinals, mine = {}, {}
for i = 6, #ARGV do ordinals[#ordinals + 1] = tonumber(ARGV[i]) end
for i, flag in ipairs(flags_of(ordinals)) do
  if flag == sold then mine[#mine + 1] = ordinals[i] end
end
can_write()
-- Also where there is nothing to free: a sale that was overtaken may still come.
takes_its_turn()
if #mine == 0 then return {'freed', '', 0} end
drop_flags(mine)
mark(mine, 0, 0, 0)
count(owner, -#mine)
return {'freed', tell(come_free(mine), join(mine)), #mine}
