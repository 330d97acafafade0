--[[ pin: binds an order to a hold and moves its deadline, never to an earlier moment.
  KEYS  1-9 the event  10 record of the hold
  ARGV  1-2 prefixes  3 hold id  4 customer  5 order id  6 ms from now that the seats must stay
        7 ms of grace  8 renew: 1 while an order is closing or its payment is processing, else 0
  Replies  pinned '' deadline now   a repeat only moves the deadline on
           gone ''                  not all of its seats are held any more
           not_owner ''
           in_checkout '' order     another order has it
           not_ready ''
  Unless it is renewed, a hold ends at the latest at first_held + 2 * span + grace; its span is the event's
  hold, or what it was granted for.
  Touches  isTaken:{E}:<ordinal>, which only the record can name
]]
local rules = read_rules('hold')
if not epoch then return {'not_ready', ''} end
local hold = record_of(ARGV[3])
if not hold then return {'gone', ''} end
if hold.owner ~= ARGV[4] then return {'not_owner', ''} end
if not hold.live or not holds_all(ARGV[3], hold.ordinals) then return {'gone', ''} end
if hold.order ~= '' and hold.order ~= ARGV[5] then return {'in_checkout', '', hold.order} end

local now = now_ms()
local wanted = now + tonumber(ARGV[6])
if ARGV[8] ~= '1' then
  wanted = math.min(wanted, hold.first + 2 * (hold.span or tonumber(rules[4])) + tonumber(ARGV[7]))
end
hold.order = ARGV[5]
hold.deadline = math.max(hold.deadline, wanted)
can_write()
for _, ordinal in ipairs(hold.ordinals) do redis.call('PEXPIREAT', FLAG .. ordinal, hold.deadline) end
keep_record(ARGV[3], hold)
return {'pinned', '', hold.deadline, now}
