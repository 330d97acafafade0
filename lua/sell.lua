--[[ sell: marks an order's seats sold. Overrides whatever stands there: Postgres has already decided.
  KEYS  1-9 the event  10 as in in_turn  11 record of the order's hold  12… the flags of the seats
  ARGV  1-2 prefixes  3-4 as in in_turn  5 hold id  6 customer  then the ordinals
  Replies  sold f n      n seats were not yet sold to this order; a repeat, and what is overtaken, answers 0
           not_ready ''
  The customer's count moves from held to bought: the seats of the live hold are already in it.
]]
read_rules()
if not epoch then return {'not_ready', ''} end
if is_overtaken() then return {'sold', '', 0} end
local sold, id, owner = 'sold:' .. ARGV[3], ARGV[5], ARGV[6]

local ordinals, fresh = {}, {}
for i = 7, #ARGV do ordinals[#ordinals + 1] = tonumber(ARGV[i]) end
for i, flag in ipairs(flags_of(ordinals)) do
  if flag ~= sold then fresh[#fresh + 1] = ordinals[i] end
end
local hold = record_of(id)
can_write()
takes_its_turn()
for _, ordinal in ipairs(fresh) do redis.call('SET', FLAG .. ordinal, sold) end
mark(fresh, 1, 1, 0)

local moved = 0
if hold and hold.live and hold.owner == owner then
  local bought, rest = set_of(ordinals), {}
  for _, ordinal in ipairs(hold.ordinals) do
    if bought[ordinal] then moved = moved + 1 else rest[#rest + 1] = ordinal end
  end
  hold.ordinals = rest
  if moved > 0 then keep_record(id, hold) end
  if #rest == 0 then consume(id, 'sold') end
end
count(owner, #fresh - moved)
if #fresh == 0 then return {'sold', '', 0} end
return {'sold', tell('sold', join(fresh)), #fresh}
