--[[ move: keeps one free place for an order that has its seats, so that a ticket can be moved there. The sale's window,
  the customer's limit and the rule about stranded seats are for buying, and are not asked.
  KEYS  1-9 the event  10 record of the hold
  ARGV  1-2 prefixes  3 hold id  4 customer  5 order id  6 ms that the place is kept  7 from  8 to (exclusive)
  Replies  held f ordinal     the first place in the range that is free; also the answer to a repeat
           refused '' reason  a range of one, and it is sold, blocked or held
           sold_out ''        a range of several, and none is free
           expired ''         this hold id is used up
           not_ready ''       no marker: the picture cannot be trusted
  A place whose hold has expired is free, unless a waiting list comes first.
  Touches  isTaken:{E}:<ordinal> of the places that it looks at
]]
read_rules()
if not epoch then return {'not_ready', ''} end
local id, owner, order = ARGV[3], ARGV[4], ARGV[5]
local keep, from, to = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
-- Free bits under a standing flag are lost writes, and few.
local LOOKS = 64

local mine = record_of(id)
if mine then
  if mine.live and holds_all(id, mine.ordinals) then return {'held', '', mine.ordinals[1]} end
  return {'expired', ''}
end

-- Why a place cannot be had, or nil.
local function refusal(ordinal)
  local flag = redis.call('GET', FLAG .. ordinal)
  if flag then return state_of(flag) end
  if redis.call('GETBIT', TAKEN, ordinal) == 0 then return nil end
  if redis.call('GETBIT', SOLD, ordinal) == 0 then return waiting and 'held' or nil end
  return redis.call('GETBIT', BLOCKED, ordinal) == 1 and 'blocked' or 'sold'
end

local function first_free()
  local at = from
  for _ = 1, LOOKS do
    at = at < to and redis.call('BITPOS', TAKEN, 0, at, to - 1, 'BIT') or -1
    if at < 0 then return nil end
    if not refusal(at) then return at end
    at = at + 1
  end
end

local place = from
if to - from == 1 then
  local reason = refusal(place)
  if reason then return {'refused', '', reason} end
else
  place = first_free()
  if not place then return {'sold_out', ''} end
end

local now = now_ms()
local record = {owner = owner, ordinals = {place}, deadline = now + keep, first = now, order = order, wish = ''}
can_write()
redis.call('SET', FLAG .. place, id, 'PXAT', record.deadline)
set_bits(TAKEN, {place}, 1)
keep_record(id, record)
count(owner, 1)
return {'held', tell('held', place), place}
