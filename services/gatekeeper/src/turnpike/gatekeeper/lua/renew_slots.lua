--[[
Renews the slots of turns that run, and registers again those that were lost.

A turn that was released a moment ago is left out: its heartbeat was under way when it
ended. One that is registered again may exceed the limit; it runs. A turn without a
record is begun anew, and named for a few heartbeats: its hold was lost.

KEYS[1]  the tenant's slots           KEYS[2]  the tenant's marker
KEYS[3]  turns released a moment ago
ARGV[1]  a slot's time to live, ms
ARGV[2]  how long running turns have to register again, ms
ARGV[3]  the marker's time to live, ms
ARGV[4]  what the keys of principals' slots begin with
ARGV[5]  what the keys of records begin with
ARGV[6]  for how many heartbeats a receipt is asked
ARGV[7…] turn, principal, segment, for each

Returns how many slots are taken, and the turns whose holds are not known.
]]
local slots, marker, released = unpack(KEYS)
local now, ttl = clock(), tonumber(ARGV[1])
local opens, had = opens_at(marker, "", tonumber(ARGV[2]), 0, now)
if had then
  redis.call("PEXPIRE", marker, ARGV[3])
else
  redis.call("SET", marker, whole(opens), "PX", ARGV[3])
end

redis.call("ZREMRANGEBYSCORE", released, "-inf", whole(now))
local none_released = redis.call("ZCARD", released) == 0
local lapse, lanes, answer = whole(now + ttl), {}, { 0 }
for i = 7, #ARGV, 3 do
  local turn, principal = ARGV[i], ARGV[i + 1]
  if none_released or not redis.call("ZSCORE", released, turn) then
    redis.call("ZADD", slots, lapse, turn)
    lanes[principal] = ARGV[4] .. principal
    redis.call("ZADD", lanes[principal], lapse, turn)
    local record = ARGV[5] .. turn
    local seen = redis.call("HMGET", record, "principal", "lost")
    if not seen[1] and not seen[2] then
      redis.call("HSET", record, "segment", ARGV[i + 2], "lost", ARGV[6])
      redis.call("PEXPIRE", record, IDLE_RECORD_MS)
      seen[2] = ARGV[6]
    end
    if seen[2] then
      answer[#answer + 1] = turn
      if redis.call("HINCRBY", record, "lost", -1) <= 0 then
        redis.call("HDEL", record, "lost")
        redis.call("HSET", record, "principal", principal, "key", "", "agent", "")
      end
    elseif redis.call("PTTL", record) >= 0 then
      redis.call("PEXPIRE", record, IDLE_RECORD_MS)
    end
  end
end
for _, lane in pairs(lanes) do
  redis.call("ZREMRANGEBYSCORE", lane, "-inf", whole(now))
  redis.call("PEXPIRE", lane, ttl)
end
redis.call("ZREMRANGEBYSCORE", slots, "-inf", whole(now))
redis.call("PEXPIRE", slots, ttl)
answer[1] = redis.call("ZCARD", slots)
return answer
