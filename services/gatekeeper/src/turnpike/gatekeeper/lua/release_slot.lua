--[[
Gives a slot back. Does nothing if it is gone already.

The turn is remembered for a moment, so that a heartbeat that was under way
when the turn ended does not take the slot again.

KEYS[1]  the tenant's slots
KEYS[2]  turns released a moment ago, scored by when that is forgotten
ARGV[1]  the turn
ARGV[2]  how long it is remembered, in milliseconds

Returns how many slots are taken.
]]
local seconds, micros = unpack(redis.call("TIME"))
local now = seconds * 1000 + math.floor(micros / 1000)

redis.call("ZREM", KEYS[1], ARGV[1])
redis.call("ZREMRANGEBYSCORE", KEYS[2], "-inf", now)
redis.call("ZADD", KEYS[2], now + tonumber(ARGV[2]), ARGV[1])
redis.call("PEXPIRE", KEYS[2], ARGV[2])
return redis.call("ZCARD", KEYS[1])
