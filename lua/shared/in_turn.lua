--[[ in_turn: what is told of an order is taken in the order in which Postgres decided it. Put before sell and free.
  KEYS  10 the last turn that was told of this order
  ARGV  3 order id  4 turn: how often the order and its tickets had been moved by then
  A call that nobody waits for any more may still run, behind one that was sent later: what it says is over.
]]
local LAST, TURN = KEYS[10], ARGV[4]
-- Longer than a call can be on its way (ms).
local ON_ITS_WAY = 600000

local function is_overtaken() return tonumber(TURN) < tonumber(redis.call('GET', LAST) or 0) end

local function takes_its_turn() redis.call('SET', LAST, TURN, 'PX', ON_ITS_WAY) end

