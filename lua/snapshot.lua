--[[ snapshot: the planes and the version that they show, in one moment. Changes nothing.
  KEYS  1-9 the event
  ARGV  1-2 prefixes
  Replies  snapshot f epoch places taken sold blocked   f is the feed's last id; places is the number of seats
           not_ready ''
]]
local meta = redis.call('HMGET', META, 'epoch', 'places')
if not meta[1] then return {'not_ready', ''} end
local last = redis.call('XREVRANGE', FEED, '+', '-', 'COUNT', 1)
return {
  'snapshot', last[1] and last[1][1] or '0-0', meta[1], meta[2],
  redis.call('GET', TAKEN) or '', redis.call('GET', SOLD) or '', redis.call('GET', BLOCKED) or '',
}
