--[[ offer: takes the best seats for a party of the waiting list, among what is free and what is kept for it.
  KEYS  1-9 the event  10-11 as in granting (an offer replaces nothing)  12 not used  13 a plane to work on, gone afterwards
  ARGV  1-9 as in granting  10 not used  11-14 as in choosing  15 the news that the caller has seen  16 ms that the offer lasts
        17 1 where people stand and any places will do, else 0
        then for each range, best first: from, to (exclusive)
  Replies  those of granting and choosing, and
           changed f   something came free or a rule changed since: who stands before this party is asked anew
           none f      nothing there for this party
  Order. Seats can only become fewer while the news is the same, so whoever could not be served before this party
  still cannot be.
  Touches  isTaken:{E}:<ordinal> of the seats that it picks
]]
local answer = answered_already()
if answer then return answer end
if redis.call('HGET', META, 'news') ~= ARGV[15] then return {'changed', feed} end
local START, standing = 18, ARGV[17] == '1'
lasts, span = tonumber(ARGV[16]), tonumber(ARGV[16])

-- Any free places of one area.
local function places()
  for i = START, #ARGV, 2 do
    local at, to, picked = tonumber(ARGV[i]), tonumber(ARGV[i + 1]), {}
    while at < to and #picked < wanted do
      local found = redis.call('BITPOS', plane, 0, at, to - 1, 'BIT')
      if found < 0 then break end
      picked[#picked + 1], at = found, found + 1
    end
    if #picked == wanted then return picked end
  end
end

local function seats()
  local first, more = choose(START)
  if more then return nil, more end
  if not first then return nil end
  local ordinals = side_by_side(first)
  if not ordinals then return nil, {'again', feed} end
  return ordinals
end

local refused = over_limit(wanted)
if refused then return refused end
-- What is kept is taken, so what differs in exactly one of the two is taken for good.
if redis.call('EXISTS', KEPT) == 1 then
  redis.call('BITOP', 'XOR', KEYS[13], TAKEN, KEPT)
  plane = KEYS[13]
end
local ordinals, more
if standing then ordinals = places() else ordinals, more = seats() end
redis.call('UNLINK', KEYS[13])
if more then return more end
if not ordinals then return {'none', feed} end
-- Model: Offer
return heal(ordinals) or grant(ordinals)
