--[[
Lets things rest, each until the latest moment that anybody named, and forgets what rested long ago.

KEYS[1]  sorted set: what rests, by the moment in milliseconds at which it may be asked again
ARGV[1]  for how many milliseconds
ARGV[2]  how long something is remembered after that, in milliseconds
ARGV[3]  how many are remembered at most
ARGV[4…] what rests

Returns nothing.
]]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for i = 4, #ARGV do
  redis.call('ZADD', KEYS[1], 'GT', now + ARGV[1], ARGV[i])
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -1 - ARGV[3])
redis.call('PEXPIRE', KEYS[1], 2 * ARGV[2])
