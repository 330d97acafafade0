--[[ granting: what hold, hold_best and offer have in common.
  KEYS  10 record of this hold  11 record of the hold it replaces (this hold's again when it replaces none)
        12 see remembering
  ARGV  3 hold id  4 customer  5 fingerprint of the wish  6 hold that it replaces, or ''
        7 ms that a checkout must have to pay  8 most due holds to sweep
        9 how the caller comes: public, admitted through the event's waiting room, or house: for an organiser, who is
          bound by no sale window, no room, no limit and no rule about single seats
        10 see remembering
  Replies  held f ordinals deadline first_held now order   also to a repeat: it answers its own success again
           expired f          this hold, or the one to replace, is over
           mismatch f         this hold id stands for another wish
           not_owner f        of this hold, or of the one to replace
           in_checkout f order   the hold to replace belongs to an order
           sale_closed f opens closes now closed   '' where there is no bound; closed 1 when it was cancelled
           not_admitted f     the event has a waiting room, and this caller has not come through it
           again f            more has expired than one call sweeps, or a flag stood without its bit
           limit f most has   the customer's limit, and what they hold and have bought
           not_ready f        no marker, or a plane was lost: the picture cannot be trusted
]]
local HOLD, OWNER, WISH, REPLACES = ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local PAYMENT, SWEEP_CAP = tonumber(ARGV[7]), tonumber(ARGV[8])

local now = now_ms()
local rules = read_rules('hold', 'opens', 'closes', 'closed', 'limit', 'orphans', 'room', 'size')
local lasts, limit = tonumber(rules[4]), tonumber(rules[8]) or 0
local house = ARGV[9] == 'house'
local orphan_rule, admitted = rules[9] == '1' and not house, rules[10] ~= '1' or ARGV[9] ~= 'public'
-- How long this hold was granted for, where that is not the event's own time.
local span = nil
-- The hold to replace, its seats as a set (free for us alone), and the feed id of a sweep.
local old, own, feed = nil, {}, ''

local function held(record, id)
  return {'held', id, join(record.ordinals), record.deadline, record.first, now, record.order}
end

-- The answer to a repeat, or nil when this hold is new.
local function repeated()
  local mine = record_of(HOLD)
  if not mine then return nil end
  if mine.owner ~= OWNER then return {'not_owner', ''} end
  -- What a rebuild or a late payment restored does not remember its wish.
  if mine.wish ~= '' and mine.wish ~= WISH then return {'mismatch', ''} end
  if mine.live and holds_all(HOLD, mine.ordinals) then return held(mine, '') end
  return {'expired', ''}
end

local function closed()
  local opens, closes = tonumber(rules[5]), tonumber(rules[6])
  if house then opens, closes = nil, nil end
  if rules[7] == '1' or (opens and now < opens) or (closes and now >= closes) then
    return {'sale_closed', '', rules[5] or '', rules[6] or '', now, rules[7] or ''}
  end
  if not admitted then return {'not_admitted', ''} end
end

-- Why the hold to replace cannot be, or nil.
local function cannot_replace()
  if REPLACES == '' then return nil end
  old = record_of(REPLACES)
  if not old then return {'expired', ''} end
  if old.owner ~= OWNER then return {'not_owner', ''} end
  if not old.live then return {'expired', ''} end
  if old.order ~= '' then return {'in_checkout', '', old.order} end
  if not holds_all(REPLACES, old.ordinals) then return {'expired', ''} end
  own = set_of(old.ordinals)
end

-- The last ordinal closes a row, so its bit is set for as long as its plane is there. Without the plane an aisle looks like a
-- free seat; and what is written afterwards makes the plane anew, without its aisles.
local function has_lost_a_plane()
  local size = tonumber(rules[11])
  return size and redis.call('GETBIT', TAKEN, size - 1) + redis.call('GETBIT', SOLD, size - 1) < 2
end

-- Everything that can be answered without a look at the seats; nil when they are to be looked at.
-- Sweeping comes last, so that what follows is exact even when no sweeper runs.
local function answered_already()
  if not epoch then return {'not_ready', ''} end
  if has_lost_a_plane() then return {'not_ready', ''} end
  local answer = repeated() or closed() or cannot_replace()
  if answer then return answer end
  local swept = sweep_due(now, SWEEP_CAP)
  feed = swept.feed
  if swept.more then return {'again', feed} end
end

local function over_limit(wanted)
  if limit == 0 or house then return nil end
  local has = tonumber(redis.call('HGET', OWNERS, OWNER) or 0)
  if has - (old and #old.ordinals or 0) + wanted > limit then return {'limit', feed, limit, has} end
end

-- A flag decides, so a free bit under a standing flag is a lost write: the bits are put right, and the caller
-- chooses anew.
local function heal(ordinals)
  local held, sold, blocked = {}, {}, {}
  for i, flag in ipairs(flags_of(ordinals)) do
    if flag and not (flag == REPLACES and own[ordinals[i]]) then
      local state = state_of(flag)
      local list = state == 'held' and held or state == 'sold' and sold or blocked
      list[#list + 1] = ordinals[i]
    end
  end
  if #held + #sold + #blocked == 0 then return nil end
  can_write()
  mark(held, 1, 0, 0)
  mark(sold, 1, 1, 0)
  mark(blocked, 1, 1, 1)
  return {'again', tell('held', join(held), 'sold', join(sold), 'blocked', join(blocked))}
end

-- The first write of a grant. Nothing from here on can refuse.
local function grant(ordinals)
  can_write()
  table.sort(ordinals)
  local record =
    {owner = OWNER, ordinals = ordinals, deadline = now + lasts, first = now, order = '', wish = WISH, span = span}
  local freed, looks = {}, 'free'
  -- Seats that are kept for the waiting list were gone before: offering them sells nothing out anew.
  local was_full = hooks and is_full()
  if old then
    -- Swapping keeps the age, and never takes away time that was already promised.
    record.first, record.span = old.first, old.span
    record.deadline = math.max(old.deadline, math.min(record.deadline, old.first + 2 * lasts - PAYMENT))
    local kept = set_of(ordinals)
    for _, ordinal in ipairs(old.ordinals) do
      if not kept[ordinal] then freed[#freed + 1] = ordinal end
    end
    drop_flags(freed)
    looks = come_free(freed)
    consume(REPLACES, 'replaced')
    write_down('released', REPLACES, OWNER, old.ordinals)
  end
  -- Model: FlagsLapse
  for _, ordinal in ipairs(ordinals) do redis.call('SET', FLAG .. ordinal, HOLD, 'PXAT', record.deadline) end
  set_bits(TAKEN, ordinals, 1)
  if waiting then set_bits(KEPT, ordinals, 0) end
  keep_record(HOLD, record)
  count(OWNER, #ordinals - (old and #old.ordinals or 0))
  write_down('created', HOLD, OWNER, ordinals, record.deadline)
  if hooks and not was_full and is_full() then write_down('full', HOLD, OWNER, {}) end
  if looks == 'free' and #freed > 0 then
    return held(record, tell('free', join(freed), 'held', join(ordinals)))
  end
  return held(record, tell('held', join(ordinals)))
end
