--[[ block: takes seats out of sale, all or none.
  KEYS  1-9 the event  10… the flags of the seats
  ARGV  1-2 prefixes  then the ordinals
  Replies  blocked f n                  n seats were not blocked before; a repeat answers 0
           refused '' ordinal reason…   sold or held; nothing has changed
           not_ready ''
]]
read_rules()
if not epoch then return {'not_ready', ''} end

local ordinals, fresh, refused = {}, {}, {'refused', ''}
for i = 3, #ARGV do ordinals[#ordinals + 1] = tonumber(ARGV[i]) end
local flags, sold, blocked = flags_of(ordinals), bits(SOLD, ordinals), bits(BLOCKED, ordinals)
for i, ordinal in ipairs(ordinals) do
  local reason = flags[i] and state_of(flags[i]) or blocked[i] == 1 and 'blocked' or sold[i] == 1 and 'sold'
  if not reason or (reason == 'blocked' and blocked[i] == 0) then
    fresh[#fresh + 1] = ordinal
  elseif reason ~= 'blocked' then
    refused[#refused + 1] = ordinal
    refused[#refused + 1] = reason
  end
end
if #refused > 2 then return refused end
if #fresh == 0 then return {'blocked', '', 0} end
can_write()
for _, ordinal in ipairs(fresh) do redis.call('SET', FLAG .. ordinal, 'blocked') end
mark(fresh, 1, 1, 1)
return {'blocked', tell('blocked', join(fresh)), #fresh}
