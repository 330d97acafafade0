--[[ configure: changes the rules of an event that is open.
  KEYS  1-9 the event
  ARGV  1-2 prefixes  then pairs of a rule's name and its value, '' for none
        hold (ms), opens and closes (ms since 1970), closed, limit, orphans, hooks and room (1 or 0),
        room_opens (ms since 1970)
  Replies  configured ''
           not_ready ''   the next rebuild brings them
]]
if redis.call('HEXISTS', META, 'epoch') == 0 then return {'not_ready', ''} end
redis.call('HSET', META, unpack(ARGV, 3))
-- Other rules may let a party on the waiting list be served.
redis.call('HINCRBY', META, 'news', 1)
return {'configured', ''}
