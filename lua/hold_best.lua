--[[ hold_best: chooses and takes the best adjacent seats in one step.
  KEYS  1-9 the event  10-11 as in granting  12 as in remembering
  ARGV  1-9 as in granting  10 as in remembering  11-14 as in choosing  15 as in recalling
        then for each range of seats, best first: from, to (exclusive)
  Replies  those of granting, remembering and choosing, and
           no_adjacent f free      there are enough free seats, nowhere side by side
           sold_out f free         there are not enough
  Touches  isTaken:{E}:<ordinal> of the seats that it picks
]]
local answer = told_before()
if answer then return answer end
answer = answered_already()
if answer then return remember(answer) end

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

local function none_left()
  local remaining = left()
  return {remaining < wanted and 'sold_out' or 'no_adjacent', feed, remaining}
end

local function take(first)
  local ordinals = side_by_side(first)
  if not ordinals then return {'again', feed} end
  -- Model: Hold
  return over_limit(wanted) or heal(ordinals) or grant(ordinals)
end

local first, more, known = choose_by_memory()
answer = more or (first and take(first) or none_left())
if known then keep_in_mind(known) end
return remember(answer)
