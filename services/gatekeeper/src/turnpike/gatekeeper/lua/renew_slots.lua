--[[
Renews the slots of turns that run, and registers again those that were lost.

A turn that was released a moment ago is left out: its heartbeat was under way
when it ended. One that is registered again may exceed the limit; it runs.

KEYS[1]  the tenant's slots
KEYS[2]  the tenant's marker; see admit.lua
KEYS[3]  turns released a moment ago
ARGV[1]  a slot's time to live, in milliseconds
ARGV[2]  how long running turns have to register again, in milliseconds
ARGV[3]  the marker's time to live, in milliseconds
ARGV[4…] the turns

Returns how many slots are taken.
]]
local slots, marker, released = KEYS[1], KEYS[2], KEYS[3]

local seconds, micros = unpack(redis.call("TIME"))
local now = seconds * 1000 + math.floor(micros / 1000)
local lapse = now + tonumber(ARGV[1])

if not redis.call("GETEX", marker, "PX", ARGV[3]) then
  redis.call("SET", marker, now + tonumber(ARGV[2]), "PX", ARGV[3])
end

redis.call("ZREMRANGEBYSCORE", released, "-inf", now)
local none_released = redis.call("ZCARD", released) == 0
for i = 4, #ARGV do
  if none_released or not redis.call("ZSCORE", released, ARGV[i]) then
    redis.call("ZADD", slots, lapse, ARGV[i])
  end
end
redis.call("PEXPIRE", slots, ARGV[1])
return redis.call("ZCARD", slots)
