--[[ unblock: puts blocked seats back on sale.
  KEYS  1-9 the event  10… the flags of the seats
  ARGV  1-2 prefixes  then the ordinals
  Replies  unblocked f n   n seats were blocked and are nobody's now; others are left alone, so a repeat answers 0
           not_ready ''
]]
read_rules()
if not epoch then return {'not_ready', ''} end

local ordinals, mine = {}, {}
for i = 3, #ARGV do ordinals[#ordinals + 1] = tonumber(ARGV[i]) end
local flags, blocked = flags_of(ordinals), bits(BLOCKED, ordinals)
for i, ordinal in ipairs(ordinals) do
  if flags[i] == 'blocked' or (not flags[i] and blocked[i] == 1) then mine[#mine + 1] = ordinal end
end
if #mine == 0 then return {'unblocked', '', 0} end
can_write()
drop_flags(mine)
mark(mine, 0, 0, 0)
return {'unblocked', tell(come_free(mine), join(mine)), #mine}
