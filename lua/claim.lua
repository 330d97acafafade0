--[[ claim: a payment arrived. Keeps the order's seats, or takes exactly the same ones again if all that were
  lost are free, else says which are lost and changes nothing.
  KEYS  1-9 the event  10 record of the hold  11… the flags of the seats
  ARGV  1-2 prefixes  3 order id  4 hold id  5 customer  6 ms from now that the seats must stay  then the ordinals
  Replies  kept ''            every seat is still the order's: held by its hold, or sold to it
           taken_again f      some were gone and free; also their hold is live again
           lost '' ordinal…   these belong to somebody else; nothing has changed
           not_owner ''       the hold is another customer's
           not_ready ''
  A repeat answers kept.
]]
read_rules()
if not epoch then return {'not_ready', ''} end
local order, id, owner = ARGV[3], ARGV[4], ARGV[5]
local hold = record_of(id)
if hold and hold.owner ~= owner then return {'not_owner', ''} end

local ordinals, again, held, lost = {}, {}, {}, {'lost', ''}
for i = 7, #ARGV do ordinals[#ordinals + 1] = tonumber(ARGV[i]) end
local sold = bits(SOLD, ordinals)
for i, flag in ipairs(flags_of(ordinals)) do
  if flag == id then
    held[#held + 1] = ordinals[i]
  elseif not flag and sold[i] == 0 then
    again[#again + 1] = ordinals[i]
  elseif flag ~= 'sold:' .. order then
    lost[#lost + 1] = ordinals[i]
  end
end
if #lost > 2 then return lost end
if #held + #again == 0 then return {'kept', ''} end

local now = now_ms()
local before = hold and hold.live and hold.ordinals or {}
-- What a live record still counts is not counted twice.
local all, counted = {}, set_of(before)
for _, ordinal in ipairs(before) do all[#all + 1] = ordinal end
for _, list in ipairs({held, again}) do
  for _, ordinal in ipairs(list) do
    if not counted[ordinal] then all[#all + 1] = ordinal end
  end
end
table.sort(all)
local deadline = math.max(now + tonumber(ARGV[6]), #before > 0 and hold.deadline or 0)
can_write()
for _, ordinal in ipairs(held) do redis.call('PEXPIREAT', FLAG .. ordinal, deadline) end
for _, ordinal in ipairs(again) do redis.call('SET', FLAG .. ordinal, id, 'PXAT', deadline) end
local was_full = hooks and is_full()
set_bits(TAKEN, again, 1)
if hooks and not was_full and is_full() then write_down('full', id, owner, {}) end
if waiting then set_bits(KEPT, again, 0) end
keep_record(id, {
  owner = owner, ordinals = all, deadline = deadline, order = order,
  first = hold and hold.first or now, wish = hold and hold.wish or '', span = hold and hold.span,
})
count(owner, #all - #before)
if #again == 0 then return {'kept', ''} end
return {'taken_again', tell('held', join(again))}
