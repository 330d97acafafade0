--[[ room: a customer comes to the waiting room of an on-sale, or looks where they stand.
  KEYS  1-9 the event  10 line  11 room  12 passes
  ARGV  1-2 prefixes  3 customer  4 a random number from 0 to 1 (exclusive)  5 ms that a pass lasts
        6 the place that the customer has had, as this script told it, or ''
  Replies  none ''                      the event has no waiting room: come in
           closed '' opens now          it opens at that moment
           early '' place people starts now    the sale has not begun: all who came so far will be shuffled
           waiting '' place position people now   so many are let in until it is their turn, themselves included
           admitted '' place left now   come in; the pass is good for so many ms
           not_ready ''
  Who comes before the sale begins gets a place by lot, which is the shuffle; who comes later stands behind all who
  came before. A place is kept, however often one comes: the same customer always has the same one, until it has been
  used. A lost line is made anew from the places that customers bring along.
]]
local rules = read_rules('room', 'room_opens', 'opens')
if not epoch then return {'not_ready', ''} end
if rules[4] ~= '1' then return {'none', ''} end
local LINE, ROOM, PASSES = KEYS[10], KEYS[11], KEYS[12]
local customer, lasts, now = ARGV[3], tonumber(ARGV[5]), now_ms()
local room_opens, starts = tonumber(rules[5]), tonumber(rules[6])
if room_opens and now < room_opens then return {'closed', '', room_opens, now} end

local pass = tonumber(redis.call('HGET', PASSES, customer) or nil)
local place = redis.call('ZSCORE', LINE, customer)
if pass and now < pass + lasts then return {'admitted', '', place or ARGV[6], pass + lasts - now, now} end
if pass then
  -- The pass was used up: they stand at the end again, and everybody behind them moves up by one.
  if place and redis.call('ZREM', LINE, customer) == 1 then redis.call('HINCRBY', ROOM, 'passed', -1) end
  redis.call('HDEL', PASSES, customer)
  place = false
end
if not place then
  if ARGV[6] ~= '' and not pass then
    place = ARGV[6]
    local last = tonumber(redis.call('HGET', ROOM, 'last') or 0)
    if tonumber(place) > last then redis.call('HSET', ROOM, 'last', math.floor(tonumber(place))) end
  elseif starts and now < starts then
    place = ARGV[4]
  else
    place = redis.call('HINCRBY', ROOM, 'last', 1)
  end
  redis.call('ZADD', LINE, place, customer)
  place = redis.call('ZSCORE', LINE, customer)
end
local people = redis.call('ZCARD', LINE)
if starts and now < starts then return {'early', '', place, people, starts, now} end
local ahead = redis.call('ZRANK', LINE, customer) - tonumber(redis.call('HGET', ROOM, 'passed') or 0)
if ahead >= 0 then return {'waiting', '', place, ahead + 1, people, now} end
redis.call('HSET', PASSES, customer, now)
return {'admitted', '', place, lasts, now}
