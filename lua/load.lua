--[[ load: installs an event's picture under a new epoch, in parts, so that no call is long. The marker comes last.
  KEYS  1-9 the event
  ARGV  1-2 prefixes  3 step: begin, part or finish  4 token of this load  5 epoch
        begin   6 how many ordinals  7 plane of the aisles
        part    6 from  7 to (exclusive)  then for each claim in it: ordinal, kind (held, sold or blocked),
                order, hold, customer, ms from now that a held seat must stay   ('' where it has none)
        finish  6… pairs of a rule's name and its value, as in configure, and waiting (1 or 0): then whatever is
                free is kept for the waiting list, which is asked first
  Replies  loaded f        the step is done; also the answer to its repeat
           superseded ''   another load has begun since, or a step is missing
           stale '' epoch  the event has this epoch or a later one already
  Touches  isTaken:{E}:<ordinal> of every ordinal, hold:{E}:<hold> of the claims
]]
local step, token, new = ARGV[3], ARGV[4], ARGV[5]
local meta = redis.call('HMGET', META, 'epoch', 'token', 'loading', 'next', 'size')
local mine = meta[2] == token
if meta[1] and mine then return {'loaded', ''} end
local open, loading = tonumber(meta[1] or -1), tonumber(meta[3] or -1)
if open >= tonumber(new) or loading > tonumber(new) then return {'stale', '', math.max(open, loading)} end
-- What is written from here on belongs to the new epoch.
epoch = new

-- Model: LoadBegin
local function begin()
  if mine then return {'loaded', ''} end
  local size, aisles = tonumber(ARGV[6]), ARGV[7]
  redis.call('DEL', META, TAKEN, SOLD, BLOCKED, KEPT, DEADLINES, OWNERS)
  redis.call('SET', TAKEN, aisles)
  redis.call('SET', SOLD, aisles)
  redis.call('SETBIT', BLOCKED, #aisles * 8 - 1, 0)
  -- Who counts later would make the key anew: that this is gone shows that it was lost.
  redis.call('HSET', OWNERS, 'nobody', 0)
  local places = #aisles * 8 - redis.call('BITCOUNT', TAKEN)
  redis.call('HSET', META, 'loading', epoch, 'token', token, 'next', 0, 'size', size, 'places', places)
  return {'loaded', ''}
end

-- A hold's seats may lie in several parts; what an earlier load left of it is not continued.
local function hold_of(id, owner, order, deadline)
  local hold = record_of(id)
  if hold and hold.live and redis.call('HGET', RECORD .. id, 'load') == token then return hold end
  return {owner = owner, ordinals = {}, deadline = deadline, first = now_ms(), order = order, wish = ''}
end

local function install(claims, holds)
  for _, claim in ipairs(claims.held) do
    local deadline = now_ms() + math.max(tonumber(claim.ttl) or 0, 1)
    holds[claim.hold] = holds[claim.hold] or hold_of(claim.hold, claim.owner, claim.order, deadline)
    local hold = holds[claim.hold]
    hold.ordinals[#hold.ordinals + 1] = claim.ordinal
    redis.call('SET', FLAG .. claim.ordinal, claim.hold, 'PXAT', hold.deadline)
    count(claim.owner, 1)
  end
  for _, claim in ipairs(claims.sold) do
    redis.call('SET', FLAG .. claim.ordinal, 'sold:' .. claim.order)
    count(claim.owner, 1)
  end
  for _, claim in ipairs(claims.blocked) do redis.call('SET', FLAG .. claim.ordinal, 'blocked') end
  for id, hold in pairs(holds) do
    keep_record(id, hold)
    redis.call('HSET', RECORD .. id, 'load', token)
  end
end

-- Model: LoadPart
local function part()
  local from, to = tonumber(ARGV[6]), tonumber(ARGV[7])
  if not mine or from > tonumber(meta[4]) then return {'superseded', ''} end
  if from < tonumber(meta[4]) then return {'loaded', ''} end
  local all, claims, ordinals = {}, {held = {}, sold = {}, blocked = {}}, {held = {}, sold = {}, blocked = {}}
  for ordinal = from, to - 1 do all[#all + 1] = ordinal end
  for i = 8, #ARGV, 6 do
    local kind, ordinal = ARGV[i + 1], tonumber(ARGV[i])
    local list, seats = claims[kind], ordinals[kind]
    seats[#seats + 1] = ordinal
    list[#list + 1] =
      {ordinal = ordinal, order = ARGV[i + 2], hold = ARGV[i + 3], owner = ARGV[i + 4], ttl = ARGV[i + 5]}
  end
  drop_flags(all)
  install(claims, {})
  mark(ordinals.held, 1, 0, 0)
  mark(ordinals.sold, 1, 1, 0)
  mark(ordinals.blocked, 1, 1, 1)
  redis.call('HSET', META, 'next', to)
  return {'loaded', ''}
end

-- Model: LoadFinish
local function finish()
  if not mine or meta[4] ~= meta[5] then return {'superseded', ''} end
  redis.call('HDEL', META, 'loading', 'next')
  -- News of this epoch is later than any of those before.
  redis.call('HSET', META, 'epoch', epoch, 'news', epoch .. '000000', unpack(ARGV, 6))
  if redis.call('HGET', META, 'waiting') == '1' then
    redis.call('BITOP', 'NOT', KEPT, TAKEN)
    redis.call('BITOP', 'OR', TAKEN, TAKEN, KEPT)
  end
  return {'loaded', tell('epoch', epoch)}
end

local steps = {begin = begin, part = part, finish = finish}
return steps[step]()
