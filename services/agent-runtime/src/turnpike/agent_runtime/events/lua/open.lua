--[[
Opens a turn's log for the claim with a fence, or says that a newer one has it.

The head is a hash: fence, owner, seq (the last number in the log), shown. It
alone says which number comes next; the stream never does, since a stream that
was deleted would accept a lower one.

A claim that opens its own log again, after Redis lost it, writes again what it
has shown. Until that is done `shown` is above `seq`, and the next claim goes on
above both: a reader that saw those numbers would pass over whatever reused them.

KEYS[1]  the turn's head
KEYS[2]  the turn's stream
ARGV[1]  fence of the claim
ARGV[2]  the claim's owner
ARGV[3]  number of the last committed event
ARGV[4]  number to go on after when the head is lost
ARGV[5]  time to live of both keys, in milliseconds
ARGV[6]  the last number that this claim may have shown already

Returns {"OK", seq}     the head stood; the next number is seq + 1
        {"LOST", seq}   there was no head; it is made anew, at ARGV[4]
        {"STALE", 0}    a newer claim has opened the log
]]
local head = redis.call("HMGET", KEYS[1], "fence", "owner", "seq", "shown")
local fence, committed = tonumber(ARGV[1]), tonumber(ARGV[3])
local outcome, seq, shown = "OK", tonumber(head[3] or 0), tonumber(head[4] or 0)

if not head[1] then
  outcome, seq = "LOST", tonumber(ARGV[4])
  -- A stream that outlived its head would refuse the numbers that are written again.
  redis.call("DEL", KEYS[2])
elseif tonumber(head[1]) > fence or (tonumber(head[1]) == fence and head[2] ~= ARGV[2]) then
  return { "STALE", 0 }
elseif tonumber(head[1]) < fence then
  seq = math.max(seq, shown)
end

seq, shown = math.max(seq, committed), math.max(shown, tonumber(ARGV[6]))
redis.call("HSET", KEYS[1], "fence", ARGV[1], "owner", ARGV[2], "seq", seq, "shown", shown)
redis.call("PEXPIRE", KEYS[1], ARGV[5])
redis.call("PEXPIRE", KEYS[2], ARGV[5])
return { outcome, seq }
