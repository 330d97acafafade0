--[[ hold: takes named seats and standing places, all or nothing; or says which failed and why.
  KEYS  1-9 the event  10-11 as in granting  12 as in remembering  13… the flags of the named seats, then of the named places
  ARGV  1-9 as in granting  10 as in remembering  11 how many seats  12 how many named standing places
        then the ordinals of the seats, those of the places, and for each area: from, to (exclusive), how many
  Replies  those of granting and remembering, and
           refused f ordinal reason …   each named seat that cannot be had: sold, blocked, held or orphan
           sold_out f free              an area has fewer places left than were asked
  Precedence: sold, blocked and held are told together; then sold_out, then orphan, then limit.
  Touches  isTaken:{E}:<ordinal> of the places that it picks

  Orphans. A seat is stranded when it is free and neither neighbour is. Each unbroken run of free seats that
  the wish touches is judged once, with everything the wish takes of it. The wish is refused when it strands a
  seat there, unless all that it leaves of the run is that one seat: whoever takes n of n + 1 must leave one
  alone wherever they sit. The seats of a hold that is being replaced count as free. Standing is exempt.
]]
local answer = told_before()
if answer then return answer end
answer = answered_already()
if answer then return remember(answer) end

local seat_count, place_count = tonumber(ARGV[11]), tonumber(ARGV[12])
local named, chosen = {}, {}
for i = 1, seat_count + place_count do
  named[i] = tonumber(ARGV[12 + i])
  chosen[named[i]] = true
end

-- What is taken, for the named seats and two to either side: all that the orphan rule ever looks at.
local taken = {}
local function look()
  local ops, from = {}, {}
  for i, ordinal in ipairs(named) do
    from[i] = math.max(ordinal - 2, 0)
    local n = #ops
    ops[n + 1], ops[n + 2], ops[n + 3] = 'GET', 'u' .. (ordinal + 3 - from[i]), from[i]
  end
  local windows = redis.call('BITFIELD_RO', TAKEN, unpack(ops))
  for i, ordinal in ipairs(named) do
    local window = windows[i]
    for at = ordinal + 2, from[i], -1 do
      taken[at] = window % 2 == 1 and not own[at]
      window = math.floor(window / 2)
    end
  end
end

-- Why a named seat cannot be had, or nil. A taken bit without a flag is an expired seat: anybody may have
-- it, unless a waiting list comes first.
local function refusal(ordinal, flag)
  if own[ordinal] then return nil end
  if flag then return state_of(flag) end
  if not taken[ordinal] then return nil end
  if redis.call('GETBIT', SOLD, ordinal) == 0 then return waiting and 'held' or nil end
  return redis.call('GETBIT', BLOCKED, ordinal) == 1 and 'blocked' or 'sold'
end

local function refused_seats()
  local refused = {'refused', feed}
  local flags = redis.call('MGET', unpack(KEYS, 13, 12 + #named))
  for i, ordinal in ipairs(named) do
    local reason = refusal(ordinal, flags[i])
    if reason then
      refused[#refused + 1] = ordinal
      refused[#refused + 1] = reason
    end
  end
  return #refused > 2 and refused or nil
end

local function free(ordinal) return taken[ordinal] == false and not chosen[ordinal] end

-- The first seat in one direction that the wish does not take is a free one.
local function free_beyond(ordinal, step)
  repeat ordinal = ordinal + step until not chosen[ordinal]
  return free(ordinal)
end

local function strands(ordinal)
  if not free(ordinal) or free(ordinal - 1) or free(ordinal + 1) then return false end
  return free_beyond(ordinal, -1) or free_beyond(ordinal, 1)
end

local function orphans()
  local refused = {'refused', feed}
  for i = 1, seat_count do
    if strands(named[i] - 1) or strands(named[i] + 1) then
      refused[#refused + 1] = named[i]
      refused[#refused + 1] = 'orphan'
    end
  end
  return #refused > 2 and refused or nil
end

-- Picks places of one area: one's own of before first, then the first free ones. Answers how many are free
-- when they are too few.
local function pick(from, to, wanted, picked)
  local had = 0
  for _, ordinal in ipairs(old and old.ordinals or {}) do
    if ordinal >= from and ordinal < to and not chosen[ordinal] then
      had = had + 1
      if wanted > 0 then
        picked[#picked + 1], chosen[ordinal], wanted = ordinal, true, wanted - 1
      end
    end
  end
  local at = from
  while wanted > 0 do
    local place = at < to and redis.call('BITPOS', TAKEN, 0, at, to - 1, 'BIT') or -1
    if place < 0 then
      return to - from - redis.call('BITCOUNT', TAKEN, from, to - 1, 'BIT') + had
    end
    if not chosen[place] then
      picked[#picked + 1], chosen[place], wanted = place, true, wanted - 1
    end
    at = place + 1
  end
end

if #named > 0 then
  look()
  answer = refused_seats()
  if answer then return remember(answer) end
end

local picked = {}
for i = 13 + #named, #ARGV, 3 do
  local left = pick(tonumber(ARGV[i]), tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2]), picked)
  if left then return remember({'sold_out', feed, left}) end
end
answer = (orphan_rule and orphans()) or over_limit(#named + #picked) or heal(picked)
if answer then return remember(answer) end

for _, ordinal in ipairs(picked) do named[#named + 1] = ordinal end
-- Model: Hold
return remember(grant(named))
