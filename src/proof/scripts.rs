//! Guards of the scripts: what stands there, and what stands there without them.

use super::Bug;

/// A guard of a shared part is taken from every script that has the part.
pub(super) const IN_SCRIPTS: [(Bug, &str, &str); 12] = [
    (Bug::ReleaseWithoutOwner, "who == 'owner' and hold.owner ~= asker", "false"),
    (Bug::ReplaceWithoutOwner, "if old.owner ~= OWNER then return {'not_owner', ''} end", ""),
    (
        Bug::HoldSomeSeats,
        "  answer = refused_seats()\n  if answer then return remember(answer) end",
        "  local others, whole = refused_seats(), grant
  if others and #others == 2 + 2 * #named then return others end
  others = set_of(others or {})
  grant = function(all)
    local mine = {}
    for _, ordinal in ipairs(all) do if not others[ordinal] then mine[#mine + 1] = ordinal end end
    return whole(mine)
  end",
    ),
    (
        Bug::KeptSeatToPublic,
        "  if not taken[ordinal] then return nil end
  if redis.call('GETBIT', SOLD, ordinal) == 0 then return waiting and 'held' or nil end",
        "  if not taken[ordinal] or redis.call('GETBIT', SOLD, ordinal) == 0 then return nil end",
    ),
    (Bug::AdmissionNotChecked, "if not admitted then return {'not_admitted', ''} end", ""),
    (
        Bug::MarkerIgnored,
        "  if not epoch then return {'not_ready', ''} end",
        "  epoch, lasts = epoch or '1', lasts or 600000",
    ),
    (Bug::MarkerFirst, "'places', places)", "'places', places, 'epoch', epoch, 'hold', 600000)"),
    // The marker that stands there already is no reason for the rest of the load to stop.
    (
        Bug::MarkerFirst,
        "local mine = meta[2] == token",
        "local mine = meta[2] == token
if mine and meta[3] then meta[1] = false end",
    ),
    (
        Bug::SweepIgnoresFlags,
        "    if flag == hold then
      look_again(hold, record.ordinals[i], now)
      return nil
    end
    if not flag then",
        "    if not flag or flag == hold then",
    ),
    (
        Bug::OfferIgnoresNews,
        "if redis.call('HGET', META, 'news') ~= ARGV[15] then return {'changed', feed} end",
        "",
    ),
    (Bug::FreeWithoutOwner, "if flag == sold then mine", "if flag then mine"),
    (Bug::OtherBodyAnswered, "if memory[1] ~= CALL then return {'reused', ''} end", ""),
];
