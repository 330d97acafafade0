--[[ remembering: tells the same call the same when it comes again. Put before hold and hold_best, after granting.
  KEYS  12 memory of this call (this hold's record again when nobody remembers it)
  ARGV  10 fingerprint of the call, or '' when nobody remembers it
  Replies  answered f hold reply…   the call came before: its hold's id, and what it was told
           reused f           another call came with this memory before
  A call is remembered in the step that decides it: between the two nothing can be lost, and no run waits for another.
]]
local MEMORY, CALL = KEYS[12], ARGV[10]
-- How long a call is remembered: a day (ms).
local REMEMBERED = 86400000
-- What the next try of the same call may be told otherwise.
local PASSING = {again = true, more = true, not_ready = true}

-- What this call was told before, or nil.
local function told_before()
  if CALL == '' then return nil end
  local memory = redis.call('HMGET', MEMORY, 'call', 'hold', 'reply')
  if not memory[1] then return nil end
  if memory[1] ~= CALL then return {'reused', ''} end
  local told = {'answered', '', memory[2]}
  for _, part in ipairs(cmsgpack.unpack(memory[3])) do told[#told + 1] = part end
  return told
end

local function remember(reply)
  if CALL == '' or PASSING[reply[1]] then return reply end
  redis.call('HSET', MEMORY, 'call', CALL, 'hold', HOLD, 'reply', cmsgpack.pack(reply))
  redis.call('PEXPIRE', MEMORY, REMEMBERED)
  return reply
end
