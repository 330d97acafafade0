--[[ witness: tells a picture the number that Postgres has raised, unless what it knows shows that a store has lost something.
  KEYS  1-9 the event  10 the number that the picture knows
  ARGV  1-2 prefixes  3 the number  4 the least that a picture must know by now
  Replies  told ''        also to a repeat
           strange '' n   it knows n: more than was ever raised, or too little; it is left so, to be found
]]
local known = tonumber(redis.call('GET', KEYS[10]) or ARGV[4])
if known > tonumber(ARGV[3]) or known < tonumber(ARGV[4]) then return {'strange', '', known} end
redis.call('SET', KEYS[10], ARGV[3])
return {'told', ''}
