--[[ choosing: finds the best adjacent seats. Put before hold_best and offer, after granting.
  ARGV  11 how many seats  12 most hops of one call  13 ordinal to go on from
        14 first seat of the best choice so far that leaves somebody alone, or ''
  Replies  more f ordinal choice   hops are used up: call again with both
  The best choice is the first in the order given that strands nobody; failing that, the first at all.
]]
local wanted, hops = tonumber(ARGV[11]), tonumber(ARGV[12])
local resume, fallback = tonumber(ARGV[13]), tonumber(ARGV[14])
-- Where a clear bit is a seat to choose: an offer also chooses among what is kept for the waiting list.
local plane = TAKEN

-- The next seat that is free for us: a clear bit, or a seat of the hold that is being replaced.
local function next_free(from, to)
  hops = hops - 1
  local at = redis.call('BITPOS', plane, 0, from, to - 1, 'BIT')
  for _, ordinal in ipairs(old and old.ordinals or {}) do
    if ordinal >= from and ordinal < to and (at < 0 or ordinal < at) then at = ordinal end
  end
  return at >= 0 and at or nil
end

-- Where a free run ends: at a taken seat or at the bit that closes its row.
local function run_end(from)
  while true do
    hops = hops - 1
    local ends = redis.call('BITPOS', plane, 1, from, -1, 'BIT')
    if not own[ends] then return ends end
    from = ends + 1
  end
end

local function is_free(ordinal)
  return ordinal >= 0 and (own[ordinal] or redis.call('GETBIT', plane, ordinal) == 0)
end

-- How many free seats lie before a range that starts inside a run: none, one (it could be stranded), or more.
local function free_before(at)
  if not is_free(at - 1) then return 0 end
  return is_free(at - 2) and 2 or 1
end

-- The first place in a run that leaves nobody alone on either side. Three tries are enough: only one
-- position can leave a single seat to the left, and only one to the right.
local function place(from, to, ends, before)
  for at = from, math.min(from + 2, math.min(ends, to) - wanted) do
    if before + at - from ~= 1 and ends - at - wanted ~= 1 then return at end
  end
end

-- The run that begins at a free seat of a range: where it ends, whether the seats fit into what the range has of it, and the
-- first place in it that leaves nobody alone.
local function judge(starts, from, to)
  local ends = run_end(starts)
  if math.min(ends, to) - starts < wanted then return ends, false end
  return ends, true, place(starts, to, ends, starts == from and free_before(starts) or 0)
end

-- The seats from `first` on, or nil: a choice of an earlier call may be gone by now.
local function side_by_side(first)
  local ordinals = {}
  for ordinal = first, first + wanted - 1 do
    if not is_free(ordinal) then return nil end
    ordinals[#ordinals + 1] = ordinal
  end
  return ordinals
end

-- Looks through ranges of ARGV from `start` on. Answers the first seat of the choice, or nil and, when the hops
-- are used up, the reply that asks for another call. Ranges come best first, not in the order of ordinals, so a
-- call goes on inside the range that the one before stopped in.
local function choose(start)
  local skipping = resume >= 0
  for i = start, #ARGV, 2 do
    local from, to = tonumber(ARGV[i]), tonumber(ARGV[i + 1])
    local at = from
    if skipping and resume >= from and resume < to then at, skipping = resume, false end
    while not skipping and to - at >= wanted do
      if hops <= 0 then return nil, {'more', feed, at, fallback or ''} end
      local starts = next_free(at, to)
      if not starts then break end
      local ends, fits, best = judge(starts, from, to)
      if best then return best end
      if fits then fallback = fallback or starts end
      at = ends + 1
    end
  end
  return fallback
end
