--[[
Appends events to a turn's log: the next numbers, by the claim that opened it.

What the log has already is acknowledged and not written again, so a retried
append is harmless. An entry's id is its number.

KEYS[1]  the turn's head (see open.lua)
KEYS[2]  the turn's stream
ARGV[1]  fence of the claim
ARGV[2]  the claim's owner
ARGV[3]  number of the first event
ARGV[4]  numbers between this one and the first event are void: their entries
         are deleted, and they need not have been written; -1 voids nothing
ARGV[5]  entries below this number are trimmed; 0 trims nothing
ARGV[6]  time to live of both keys, in milliseconds
ARGV[7…] the events, serialized

Returns {"OK", seq}     all of them are in the log
        {"STALE", 0}    another claim has opened the log
        {"GAP", seq}    the first event is not the next one, nor is all between void
        {"LOST", 0}     there is no head, or an older claim's (Redis was away when
                        this one began); open the log again
]]
local head = redis.call("HMGET", KEYS[1], "fence", "owner", "seq")
if not head[1] or tonumber(head[1]) < tonumber(ARGV[1]) then
  return { "LOST", 0 }
end
if head[1] ~= ARGV[1] or head[2] ~= ARGV[2] then -- fence
  return { "STALE", 0 }
end

local seq, first, void_after = tonumber(head[3]), tonumber(ARGV[3]), tonumber(ARGV[4])
if first > seq + 1 and (void_after < 0 or void_after > seq) then
  return { "GAP", seq }
end

if void_after >= 0 then
  local void = redis.call("XRANGE", KEYS[2], (void_after + 1) .. "-0", (first - 1) .. "-0")
  for _, entry in ipairs(void) do
    redis.call("XDEL", KEYS[2], entry[1])
  end
end

for i = 7, #ARGV do
  local number = first + i - 7
  if number > seq then
    redis.call("XADD", KEYS[2], number .. "-0", "e", ARGV[i])
    seq = number
  end
end

if tonumber(ARGV[5]) > 0 then
  redis.call("XTRIM", KEYS[2], "MINID", ARGV[5])
end
redis.call("HSET", KEYS[1], "seq", seq)
redis.call("PEXPIRE", KEYS[1], ARGV[6])
redis.call("PEXPIRE", KEYS[2], ARGV[6])
return { "OK", seq }
