--[[ limit: takes calls from a subject's allowances, all of them or none (GCRA, a bucket that drains evenly).
  KEYS  1… the buckets, all of one subject and so in one slot; behind them the marker, if there is one
  ARGV  1 take, give, know or note  2 how many calls  3 ms that the marker lives, 0 if there is none
        then for each bucket: µs in which one call drains, µs that it may hold
  Replies  taken level …    there was room in all of them; how full each is now, in µs of draining
           refused level …  there was none in one, and nothing was taken
           given level …    the calls were given back, for give and know; of an empty bucket nothing can be
           noted level …    they were taken without asking, for calls that a node has let through by itself
  While the marker is there the last bucket is passed over and called empty; know sets the marker.
  A repeat takes, or gives, again: nobody repeats. A bucket that is empty has no key.
]]
local action, calls, marked = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local buckets = #KEYS
local marker, passed
if marked > 0 then
  marker = KEYS[buckets]
  buckets = buckets - 1
  if redis.call('EXISTS', marker) == 1 then passed = buckets end
end
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]

local back = action == 'give' or action == 'know'
local levels, change, room = {}, {}, true
for i = 1, buckets do
  local drain, most = tonumber(ARGV[2 + 2 * i]), tonumber(ARGV[3 + 2 * i])
  levels[i], change[i] = 0, 0
  if i ~= passed then
    local empty_at = tonumber(redis.call('GET', KEYS[i]) or now)
    -- A clock that was set back, or another setting than before, is no reason to refuse for longer.
    local level = math.min(math.max(empty_at - now, 0), most)
    if level + calls * drain > most then room = false end
    levels[i] = level
    change[i] = back and -math.min(calls * drain, level) or math.min(calls * drain, most - level)
  end
end
if action == 'take' and not room then return {'refused', unpack(levels)} end

for i = 1, buckets do
  if change[i] ~= 0 then
    levels[i] = levels[i] + change[i]
    if levels[i] > 0 then
      redis.call('SET', KEYS[i], string.format('%.0f', now + levels[i]), 'PX', math.ceil(levels[i] / 1000))
    else
      redis.call('DEL', KEYS[i])
    end
  end
end
if action == 'know' and marker then redis.call('SET', marker, '1', 'PX', marked) end
local said = {take = 'taken', give = 'given', know = 'given', note = 'noted'}
return {said[action], unpack(levels)}
