--[[ expiry: frees what has expired. Put before the scripts that sweep: sweep, hold, hold_best, offer.
  A hold is over when its flags are gone; its deadline only says when to look. A seat comes free only where
  no flag stands, because somebody else may have taken it since.
]]

-- The clock may read past a deadline while the flag is still seen (time stands still for keys in a script),
-- or a flag may have lost its TTL. The flag decides: look again when it is due.
local function look_again(hold, ordinal, now)
  local left = redis.call('PTTL', FLAG .. ordinal)
  if left < 0 then redis.call('PEXPIRE', FLAG .. ordinal, 1) end
  redis.call('ZADD', DEADLINES, now + math.max(left, 1), hold)
end

-- Model: Sweep
local function sweep_one(hold, record, now)
  local bare = {}
  for i, flag in ipairs(flags_of(record.ordinals)) do
    if flag == hold then
      look_again(hold, record.ordinals[i], now)
      return nil
    end
    if not flag then bare[#bare + 1] = record.ordinals[i] end
  end
  local freed, taken, sold = {}, bits(TAKEN, bare), bits(SOLD, bare)
  local kept = waiting and bits(KEPT, bare) or {}
  for i, ordinal in ipairs(bare) do
    if taken[i] == 1 and sold[i] == 0 and kept[i] ~= 1 then freed[#freed + 1] = ordinal end
  end
  can_write()
  come_free(freed)
  consume(hold, 'swept')
  count(record.owner, -#record.ordinals)
  write_down('expired', hold, record.owner, record.ordinals)
  return freed
end

-- Sweeps at most `cap` due holds; `more` when others wait.
local function sweep_due(now, cap)
  local due = redis.call('ZRANGE', DEADLINES, '-inf', '(' .. now, 'BYSCORE', 'LIMIT', 0, cap + 1)
  local swept = {feed = '', freed = {}, holds = {}, more = #due > cap}
  for i = 1, math.min(#due, cap) do
    local record = record_of(due[i])
    if record and record.live then
      local freed = sweep_one(due[i], record, now)
      if freed then
        swept.holds[#swept.holds + 1] = due[i]
        for _, ordinal in ipairs(freed) do swept.freed[#swept.freed + 1] = ordinal end
      end
    else
      redis.call('ZREM', DEADLINES, due[i])
    end
  end
  if #swept.freed > 0 then swept.feed = tell(waiting and 'held' or 'free', join(swept.freed)) end
  return swept
end
