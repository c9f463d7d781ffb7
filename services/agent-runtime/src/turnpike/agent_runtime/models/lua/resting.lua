--[[
Says what rests, and what did until lately.

KEYS[1]  sorted set: what rests, by the moment in milliseconds at which it may be asked again

Returns pairs: what, and in how many milliseconds it may be asked again (negative: it may).
]]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local found = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
for i = 2, #found, 2 do
  found[i] = math.floor(found[i] - now)
end
return found
