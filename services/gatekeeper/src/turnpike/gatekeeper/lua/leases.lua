--[[
The slots of running turns: sorted sets of turns, one for the tenant and one for each
principal, scored by the millisecond in which each lapses unless it is renewed. Never a
counter, so what dies gives its slot back.

The marker says since when the sets can be trusted. A Redis that lost its state has none;
then nothing new is admitted until the running turns have registered again
(renew_slots.lua), unless the caller knows that there are none.
]]
local function count(slots, now)
  return redis.call("ZCOUNT", slots, "(" .. whole(now), "+inf")
end

local function wait_for_slot(slots, now)
  local first = redis.call("ZRANGEBYSCORE", slots, "(" .. whole(now), "+inf", "WITHSCORES", "LIMIT", 0, 1)
  return first[2] and tonumber(first[2]) - now or 0
end

local function take(slots, turn, now, ttl)
  redis.call("ZREMRANGEBYSCORE", slots, "-inf", whole(now))
  redis.call("ZADD", slots, whole(now + ttl), turn)
  redis.call("PEXPIRE", slots, ttl)
end

-- From when on slots are given, and whether that was known; begins to count where the
-- state was lost. Holds need `later` more: their receipts come with the second heartbeat.
-- `idle` is "1" for whoever knows that nobody can have held a slot until now.
local function opens_at(marker, idle, register, later, now)
  local opens = tonumber(redis.call("GET", marker) or nil)
  return opens or (idle == "1" and now - later or now + register), opens ~= nil
end

-- Whether a tenant's first admission, which opens it, has been overtaken by this one.
local function overtakes(marker, idle)
  return idle == "2" and redis.call("EXISTS", marker) == 0
end
