--[[ once_begin: claims an Idempotency-Key for one run of a call, or says what became of an earlier run.
  KEYS  1 record
  ARGV  1 fingerprint of the request  2 a fresh id for what the call makes  3 this run's own id
        4 ms that a run may take before another may start  5 ms that the record lives
  Replies  run id        go on, and make the thing with this id; also the answer to a repeat by the same run
           answered id sealed   the thing's id and the answer, as once_keep was given it
           running ''    another run has not answered yet
           reused ''     the key belongs to another request
]]
local record = KEYS[1]
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local found = redis.call('HMGET', record, 'fingerprint', 'resource', 'runner', 'until', 'answer')
local fingerprint, resource, runner, busy_until, answer = unpack(found)

if fingerprint and fingerprint ~= ARGV[1] then return {'reused', ''} end
if answer then return {'answered', resource, answer} end
if runner and runner ~= ARGV[3] and tonumber(busy_until) > now then return {'running', ''} end

-- A repeat after a crash makes the same thing, not a second one.
resource = resource or ARGV[2]
redis.call('HSET', record, 'fingerprint', ARGV[1], 'resource', resource, 'runner', ARGV[3],
  'until', string.format('%.0f', now + ARGV[4]))
redis.call('PEXPIRE', record, ARGV[5])
return {'run', resource}
