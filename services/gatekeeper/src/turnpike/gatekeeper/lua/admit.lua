--[[
Gives a turn a slot of its tenant, or says why not. Nothing but lapsed slots
changes on a refusal.

A tenant's slots are a sorted set of turns, scored by the millisecond in which
each lapses unless it is renewed: never a counter, so what dies gives its slot
back. The clock is Redis's own. A turn that has a slot keeps it, which makes a
retried call harmless, and a running turn's never refused.

The marker says since when the set can be trusted. A Redis that lost its state
has none; then nothing new is admitted until the running turns have registered
again (renew_slots.lua), unless the caller knows that there are none.

KEYS[1]  the tenant's slots
KEYS[2]  the tenant's marker: the millisecond from which on slots are given
KEYS[3]  turns released a moment ago
ARGV[1]  the turn
ARGV[2]  how many slots the tenant has
ARGV[3]  a slot's time to live, in milliseconds
ARGV[4]  "1" when no turn of the tenant can have held a slot until now
ARGV[5]  how long running turns have to register again, in milliseconds
ARGV[6]  the marker's time to live, in milliseconds

Returns {1, slots taken}                        the turn has a slot
        {0, milliseconds until a slot may free}  every slot is taken
        {2, milliseconds until slots are given}  the state was lost
]]
local slots, marker, released = KEYS[1], KEYS[2], KEYS[3]
local turn, limit, ttl = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])

local seconds, micros = unpack(redis.call("TIME"))
local now = seconds * 1000 + math.floor(micros / 1000)

local opens = tonumber(redis.call("GETEX", marker, "PX", ARGV[6]))
if not opens then
  opens = ARGV[4] == "1" and now or now + tonumber(ARGV[5])
  redis.call("SET", marker, opens, "PX", ARGV[6])
end

redis.call("ZREMRANGEBYSCORE", slots, "-inf", now)
local taken = redis.call("ZCARD", slots)
if not redis.call("ZSCORE", slots, turn) then
  if taken >= limit then
    local first = redis.call("ZRANGE", slots, 0, 0, "WITHSCORES")
    return { 0, tonumber(first[2]) - now }
  end
  if now < opens then
    return { 2, opens - now }
  end
  taken = taken + 1
  redis.call("ZREM", released, turn)
end

redis.call("ZADD", slots, now + ttl, turn)
redis.call("PEXPIRE", slots, ttl)
return { 1, taken }
