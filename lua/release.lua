--[[ release: gives a hold's seats back, for its owner or for the order that it belongs to.
  KEYS  1-9 the event  10 record of the hold
  ARGV  1-2 prefixes  3 hold id  4 who asks: owner or order  5 their id
  Replies  released f n          n seats are nobody's now
           gone ''               nothing is left of it; also the answer to a repeat
           not_owner ''
           in_checkout '' order  a hold that belongs to an order is given back by that order only
           not_ready ''
  Touches  isTaken:{E}:<ordinal>, which only the record can name
]]
read_rules()
if not epoch then return {'not_ready', ''} end
local id, who, asker = ARGV[3], ARGV[4], ARGV[5]
local hold = record_of(id)
if not hold then return {'gone', ''} end
if who == 'owner' and hold.owner ~= asker then return {'not_owner', ''} end
if not hold.live then return {'gone', ''} end
if hold.order ~= '' and (who == 'owner' or hold.order ~= asker) then return {'in_checkout', '', hold.order} end

local mine, candidates, freed = {}, {}, {}
for i, flag in ipairs(flags_of(hold.ordinals)) do
  if flag == id then mine[#mine + 1] = hold.ordinals[i] end
  if flag == id or not flag then candidates[#candidates + 1] = hold.ordinals[i] end
end
local taken, sold = bits(TAKEN, candidates), bits(SOLD, candidates)
local kept = waiting and bits(KEPT, candidates) or {}
for i, ordinal in ipairs(candidates) do
  if taken[i] == 1 and sold[i] == 0 and kept[i] ~= 1 then freed[#freed + 1] = ordinal end
end
can_write()
drop_flags(mine)
local looks = come_free(freed)
consume(id, 'released')
count(hold.owner, -#hold.ordinals)
write_down('released', id, hold.owner, hold.ordinals)
if #freed == 0 then return {'released', '', 0} end
return {'released', tell(looks, join(freed)), #freed}
