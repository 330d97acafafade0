--[[ hold_best: chooses and takes the best adjacent seats in one step.
  KEYS  1-7 the event  8-9 as in granting
  ARGV  1-8 as in granting  9 how many seats  10 most hops of one call  11 ordinal to go on from
        12 first seat of the best choice so far that leaves somebody alone, or ''
        then for each range of seats, best first: from, to (exclusive)
  Replies  those of granting, and
           more f ordinal choice   hops are used up: call again with both
           no_adjacent f free      there are enough free seats, nowhere side by side
           sold_out f free         there are not enough
  The best choice is the first in the order given that strands nobody; failing that, the first at all.
  Touches  isTaken:{E}:<ordinal> of the seats that it picks
]]
local answer = answered_already()
if answer then return answer end

local wanted, hops = tonumber(ARGV[9]), tonumber(ARGV[10])
local resume, fallback = tonumber(ARGV[11]), tonumber(ARGV[12])
local START = 13

-- The next seat that is free for us: a clear bit, or a seat of the hold that is being replaced.
local function next_free(from, to)
  hops = hops - 1
  local at = redis.call('BITPOS', TAKEN, 0, from, to - 1, 'BIT')
  for _, ordinal in ipairs(old and old.ordinals or {}) do
    if ordinal >= from and ordinal < to and (at < 0 or ordinal < at) then at = ordinal end
  end
  return at >= 0 and at or nil
end

-- Where a free run ends: at a taken seat or at the bit that closes its row.
local function run_end(from)
  while true do
    hops = hops - 1
    local ends = redis.call('BITPOS', TAKEN, 1, from, -1, 'BIT')
    if not own[ends] then return ends end
    from = ends + 1
  end
end

local function free(ordinal)
  return ordinal >= 0 and (own[ordinal] or redis.call('GETBIT', TAKEN, ordinal) == 0)
end

-- How many free seats lie before a range that starts inside a run: none, one (it could be stranded), or more.
local function free_before(at)
  if not free(at - 1) then return 0 end
  return free(at - 2) and 2 or 1
end

-- The first place in a run that leaves nobody alone on either side. Three tries are enough: only one
-- position can leave a single seat to the left, and only one to the right.
local function place(from, to, ends, before)
  for at = from, math.min(from + 2, math.min(ends, to) - wanted) do
    if before + at - from ~= 1 and ends - at - wanted ~= 1 then return at end
  end
end

local function left()
  local places = 0
  for i = START, #ARGV, 2 do
    local from, to = tonumber(ARGV[i]), tonumber(ARGV[i + 1])
    places = places + to - from - redis.call('BITCOUNT', TAKEN, from, to - 1, 'BIT')
    for _, ordinal in ipairs(old and old.ordinals or {}) do
      if ordinal >= from and ordinal < to then places = places + 1 end
    end
  end
  return places
end

local function take(first)
  local ordinals = {}
  for ordinal = first, first + wanted - 1 do
    -- A choice of an earlier call may be gone by now: then everything is chosen anew.
    if not free(ordinal) then return {'again', feed} end
    ordinals[#ordinals + 1] = ordinal
  end
  return over_limit(wanted) or heal(ordinals) or grant(ordinals)
end

-- Ranges come best first, not in the order of ordinals, so a call goes on inside the range it stopped in.
local skipping = resume >= 0
for i = START, #ARGV, 2 do
  local from, to = tonumber(ARGV[i]), tonumber(ARGV[i + 1])
  local at = from
  if skipping and resume >= from and resume < to then at, skipping = resume, false end
  while not skipping and to - at >= wanted do
    if hops <= 0 then return {'more', feed, at, fallback or ''} end
    local starts = next_free(at, to)
    if not starts then break end
    local ends = run_end(starts)
    local before = starts == from and free_before(starts) or 0
    if math.min(ends, to) - starts >= wanted then
      local best = place(starts, to, ends, before)
      if best then return take(best) end
      fallback = fallback or starts
    end
    at = ends + 1
  end
end
if fallback then return take(fallback) end
local remaining = left()
return {remaining < wanted and 'sold_out' or 'no_adjacent', feed, remaining}
