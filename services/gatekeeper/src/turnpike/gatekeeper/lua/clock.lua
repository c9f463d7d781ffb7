-- Read before each script. The clock is Redis's own, in milliseconds.
local function clock()
  local seconds, micros = unpack(redis.call("TIME"))
  return seconds * 1000 + math.floor(micros / 1000)
end

-- Numbers as they are stored: Lua's own way turns large ones into 1e+15.
local function whole(number)
  return string.format("%.0f", number)
end

-- Whole quotients of numbers below 2^53; dividing first would round.
local function floor_of(number, by)
  return (number - math.fmod(number, by)) / by
end

local function ceiling_of(number, by)
  local rest = math.fmod(number, by)
  return (number - rest) / by + (rest > 0 and 1 or 0)
end
