--[[ recalling: goes on where the last search for the same was over, so that a hall that is nearly full is not looked through
  for each customer. Put before hold_best, after choosing.
  KEYS  1 its field best:<name> says how far searches of that name came
  ARGV  15 a name for the quantity and the ranges; '' where they are not in the order of ordinals, or seats of one's own are
        free for one: such a search is made from the beginning
  What is remembered was true at one id of the feed:
    from   no place before it leaves nobody alone
    fits   there is no place at all before it, or nil when there is none before `from`
    again  but for places at these ordinals, which have changed since
  What has changed later is in the feed, so the answer is the same as without a memory.
]]
local NAME = ARGV[15] ~= '' and 'best:' .. ARGV[15]
-- The first range.
local START = 16
-- More changes than this are looked through no faster than the hall is.
local CHANGES = 500
-- Names of one event: a bound, should somebody ask for everything that can be asked for.
local NAMES = 200

-- Adds the seats of these entries of the feed to what is looked at again; false when they are too many.
local function add_changes(known, entries)
  for i = 2, #entries do
    local fields = entries[i][2]
    for j = 2, #fields, 2 do
      for _, ordinal in ipairs(split(fields[j])) do
        if ordinal < known.from + 2 then known.again[#known.again + 1] = ordinal end
      end
    end
    if #known.again > CHANGES then return false end
  end
  known.seen = entries[#entries][1]
  table.sort(known.again)
  return true
end

-- What the last search left, with all that has changed since, or nil.
local function remembered(text)
  local known = cmsgpack.unpack(text)
  if known.epoch ~= epoch then return nil end
  local entries = redis.call('XRANGE', FEED, known.seen, '+', 'COUNT', CHANGES + 1)
  -- Were the entry that it knows gone, so might be others.
  local is_whole = #entries <= CHANGES and entries[1] and entries[1][1] == known.seen
  return is_whole and add_changes(known, entries) and known or nil
end

local function recall()
  local text = NAME and redis.call('HGET', META, NAME)
  local known = text and remembered(text)
  -- A search that went on without a memory is not remembered: what it has passed may have changed since.
  if known or not NAME or resume >= 0 then return known end
  if not text and redis.call('HLEN', META) >= NAMES then return nil end
  local last = redis.call('XREVRANGE', FEED, '+', '-', 'COUNT', 1)[1]
  return last and {epoch = epoch, seen = last[1], from = 0, again = {}}
end

-- A Redis that is full answers as well without it.
local function keep_in_mind(known) redis.pcall('HSET', META, NAME, cmsgpack.pack(known)) end

-- Where the unbroken free seats begin that `ordinal` is one of, within a range.
local function run_start(ordinal, from)
  while ordinal > from and is_free(ordinal - 1) do ordinal = ordinal - 1 end
  return ordinal
end

-- Looks at one stretch of a range up to where a run begins behind `last`. Answers the place that leaves nobody alone, or
-- nil and how far it came.
local function look_at(known, at, last, from, to)
  while at < to do
    local starts = next_free(at, to)
    if not starts or starts > last then break end
    local ends, fits, best = judge(starts, from, to)
    if best then return best end
    if fits and (not known.fits or starts < known.fits) then known.fits = starts end
    at = ends + 1
  end
  return nil, at
end

-- A seat matters to the runs on both its sides, and in a range that ends beside it.
local function look_again(known)
  local again, first = known.again, 1
  for i = START, #ARGV, 2 do
    local from, to = tonumber(ARGV[i]), tonumber(ARGV[i + 1])
    while again[first] and again[first] < from - 2 do first = first + 1 end
    local at, next = from, first
    while again[next] and again[next] < to + 2 do
      local ordinal = math.max(from, math.min(again[next], to - 1))
      if ordinal + 1 >= at then
        local best
        best, at = look_at(known, math.max(at, run_start(ordinal, from)), ordinal + 1, from, to)
        if best or hops <= 0 then
          -- Those at a border are the next range's, too.
          while again[next - 1] and again[next - 1] >= to - 2 do next = next - 1 end
          known.again = {unpack(again, next)}
          return best
        end
      end
      next = next + 1
    end
  end
  known.again = {}
end

-- Goes on behind what is known, where nobody has been.
local function look_further(known)
  for i = START, #ARGV, 2 do
    local from, to = tonumber(ARGV[i]), tonumber(ARGV[i + 1])
    local at = math.max(from, known.from)
    -- A run that has grown across it since was looked at again, as a whole.
    if at > from and at < to and is_free(at - 1) then at = run_end(at) + 1 end
    while to - at >= wanted and hops > 0 do
      local starts = next_free(at, to)
      if not starts then break end
      local ends, fits, best = judge(starts, from, to)
      if best then
        known.from = starts
        return best
      end
      if fits then known.fits = known.fits or starts end
      at = ends + 1
    end
    if hops <= 0 then
      known.from = at
      return nil
    end
    known.from = math.max(known.from, to)
  end
end

-- The first place at all. There is none before the one that was the first.
local function look_for_any(known)
  local least = known.fits
  for i = START, #ARGV, 2 do
    local from, to = tonumber(ARGV[i]), tonumber(ARGV[i + 1])
    local at = math.max(from, least)
    while to - at >= wanted and hops > 0 do
      local starts = next_free(at, to)
      if not starts then break end
      known.fits = starts
      local ends, fits = judge(starts, from, to)
      if fits then return starts end
      at = ends + 1
    end
    if hops <= 0 then return nil end
  end
  known.fits = nil
end

-- As `choose`, and what is to be remembered of it.
local function choose_by_memory()
  local known = recall()
  if not known then return choose(START) end
  local first = look_again(known)
  if not first and hops > 0 then first = look_further(known) end
  if not first and hops > 0 and known.fits then first = look_for_any(known) end
  local more = not first and hops <= 0 and {'more', feed, -1, ''} or nil
  return first, more, known
end
