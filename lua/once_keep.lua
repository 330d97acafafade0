--[[ once_keep: ends one run of a call that has an Idempotency-Key: keeps its answer, or lets the next run start.
  KEYS  1 record
  ARGV  1 this run's own id  2 the sealed answer, or '' when there is none worth keeping
  Replies  kept      the answer is there now; the first one stays, so also when it was there before
           let_go    the next repeat may run at once
           not_ours  another run holds the key, or the record is gone
]]
local record = KEYS[1]
local runner, answer = unpack(redis.call('HMGET', record, 'runner', 'answer'))
if answer then return 'kept' end
if not runner then return 'not_ours' end
if ARGV[2] ~= '' then
  redis.call('HSET', record, 'answer', ARGV[2])
  return 'kept'
end
if runner ~= ARGV[1] then return 'not_ours' end
redis.call('HSET', record, 'until', 0)
return 'let_go'
