--[[
Gives a segment's slots back and, when all that it used is settled, what it still holds.
Does nothing if that is gone already; a later segment's slots stay.

The turn is remembered for a moment, so that a heartbeat that was under way when it ended
does not take the slot again.

KEYS[1]  the tenant's slots           KEYS[2]  turns released a moment ago
KEYS[3]  the account                  KEYS[4]  the turn's record
ARGV[1]  the turn                     ARGV[2]  how long it is remembered, ms
ARGV[3]  the segment, 0 for whichever it is
ARGV[4]  "1" when everything was settled
ARGV[5]  what the keys of principals' slots begin with

Returns how many slots are taken.
]]
local slots, released, account, record = unpack(KEYS)
local turn, now = ARGV[1], clock()
local fields = fields_of(record)
local current = tonumber(fields.segment or "0")
local segment = tonumber(ARGV[3])
if segment == 0 then
  segment = current
end

if segment >= current then
  redis.call("ZREM", slots, turn)
  redis.call("ZREMRANGEBYSCORE", released, "-inf", whole(now))
  redis.call("ZADD", released, whole(now + tonumber(ARGV[2])), turn)
  redis.call("PEXPIRE", released, ARGV[2])
  if fields.principal then
    redis.call("ZREM", ARGV[5] .. fields.principal, turn)
  end
end
if fields.principal then
  if segment > tonumber(fields.ended or "-1") then
    redis.call("HSET", record, "ended", segment)
  end
  if ARGV[4] == "1" then
    local dropped = 0
    for name, value in pairs(fields) do
      local of = tonumber(string.match(name, "^p:(%d+):") or nil)
      if of and of <= segment then
        dropped = dropped + part_of(value)
        fields[name] = part(0, 0, 0, false)
        redis.call("HSET", record, name, fields[name])
      end
    end
    add_held(account, fields, -dropped)
    let_account_lapse(account)
  end
  let_record_lapse(record, open_of(fields))
end
return count(slots, now)
