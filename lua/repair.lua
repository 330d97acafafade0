--[[ repair: makes seats what Postgres says they are, each only while its flag is still what was seen.
  KEYS  1-9 the event
  ARGV  1-2 prefixes  then for each seat: ordinal, the flag that was seen or '', truth (free, held, sold or
        blocked), order, hold, customer, ms from now that a held seat must stay, and the customer that the flag
        which was seen says it is sold to   ('' where it has none)
  Replies  repaired f n orders   n seats were not as they should be and are now; a repeat answers 0. Orders, comma-separated,
                                 that seats are held for which Postgres calls free: whether they are over is not known here
           not_ready ''
  A seat that Postgres calls free stays with a live hold: no claim is made before the checkout.
  Any other seat is taken out of the hold that had it, whose customer's count goes down by one; the new owner's goes up.
  So does the count of one who had bought it: only the flag says that they had, and it can be lost once.
  Touches  isTaken:{E}:<ordinal>, hold:{E}:<hold> of the losing and of the winning holds
]]
read_rules()
if not epoch then return {'not_ready', ''} end
local now = now_ms()
local PLANES = {free = {0, 0, 0}, held = {1, 0, 0}, sold = {1, 1, 0}, blocked = {1, 1, 1}}

local function should_be(seat)
  if seat.truth == 'held' then return seat.hold end
  if seat.truth == 'sold' then return 'sold:' .. seat.order end
  return seat.truth == 'blocked' and 'blocked' or false
end

local function as_seen(seat) return (redis.call('GET', FLAG .. seat.ordinal) or '') == seat.seen end

local function right_already(seat)
  local planes = PLANES[seat.truth]
  if waiting and seat.truth == 'free' and redis.call('GETBIT', KEPT, seat.ordinal) == 1 then
    planes = PLANES.held
  end
  return (should_be(seat) or '') == seat.seen
    and redis.call('GETBIT', TAKEN, seat.ordinal) == planes[1]
    and redis.call('GETBIT', SOLD, seat.ordinal) == planes[2]
    and redis.call('GETBIT', BLOCKED, seat.ordinal) == planes[3]
end

-- A live hold needs no claim: who has not reached the checkout is known to Redis alone. Its time ends it. One that was checked
-- out has claims, unless its order is over, or had none yet when they were read.
local orders = {}
local function is_held_rightly(seat)
  if seat.truth ~= 'free' then return false end
  local hold = record_of(seat.seen)
  if not (hold and hold.live and set_of(hold.ordinals)[seat.ordinal]) then return false end
  if hold.order ~= '' then orders[hold.order] = true end
  return true
end

-- Takes the seat out of the live hold whose flag stands there.
local function take_from(seat)
  local loser = record_of(seat.seen)
  if not loser or not loser.live then return end
  local rest = {}
  for _, ordinal in ipairs(loser.ordinals) do
    if ordinal ~= seat.ordinal then rest[#rest + 1] = ordinal end
  end
  if #rest == #loser.ordinals then return end
  loser.ordinals = rest
  keep_record(seat.seen, loser)
  if #rest == 0 then consume(seat.seen, 'repaired') end
  count(loser.owner, -1)
end

local function add_to_hold(seat)
  local deadline = now + math.max(seat.ttl, 1)
  local hold = record_of(seat.hold)
  if not (hold and hold.live) then
    hold =
      {owner = seat.owner, ordinals = {}, deadline = deadline, first = now, order = seat.order, wish = ''}
  end
  hold.deadline = math.max(hold.deadline, deadline)
  if not set_of(hold.ordinals)[seat.ordinal] then
    hold.ordinals[#hold.ordinals + 1] = seat.ordinal
    table.sort(hold.ordinals)
    -- Whoever the record names is who gets the count back when it is consumed.
    count(hold.owner, 1)
  end
  redis.call('SET', FLAG .. seat.ordinal, seat.hold, 'PXAT', hold.deadline)
  keep_record(seat.hold, hold)
end

local function put_right(seat)
  local flag = should_be(seat)
  if flag ~= seat.seen then
    take_from(seat)
    if seat.buyer ~= '' then count(seat.buyer, -1) end
    if seat.truth == 'sold' then count(seat.owner, 1) end
  end
  if not flag then
    redis.call('UNLINK', FLAG .. seat.ordinal)
  elseif seat.truth == 'held' then
    add_to_hold(seat)
  else
    redis.call('SET', FLAG .. seat.ordinal, flag)
  end
  mark({seat.ordinal}, unpack(PLANES[seat.truth]))
  if seat.truth == 'free' then come_free({seat.ordinal}) end
end

local repaired = {free = {}, held = {}, sold = {}, blocked = {}}
local total = 0
for i = 3, #ARGV, 8 do
  local seat = {
    ordinal = tonumber(ARGV[i]), seen = ARGV[i + 1], truth = ARGV[i + 2], order = ARGV[i + 3],
    hold = ARGV[i + 4], owner = ARGV[i + 5], ttl = tonumber(ARGV[i + 6]) or 0, buyer = ARGV[i + 7],
  }
  if as_seen(seat) and not right_already(seat) and not is_held_rightly(seat) then
    if total == 0 then can_write() end
    put_right(seat)
    total = total + 1
    -- What is kept for the waiting list looks held.
    local list = repaired[seat.truth == 'free' and waiting and 'held' or seat.truth]
    list[#list + 1] = seat.ordinal
  end
end
local names = {}
for order in pairs(orders) do names[#names + 1] = order end
local doubtful = table.concat(names, ',')
if total == 0 then return {'repaired', '', 0, doubtful} end
local feed = tell('free', join(repaired.free), 'held', join(repaired.held), 'sold', join(repaired.sold),
  'blocked', join(repaired.blocked))
return {'repaired', feed, total, doubtful}
