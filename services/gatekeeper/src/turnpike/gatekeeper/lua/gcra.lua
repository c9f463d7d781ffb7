--[[
Rates, as GCRA keeps them: one number, the backlog.

It is kept in cells (calls, or tokens) and not as a time, so that a new rate or burst
applies to it at once. A cell is 60,000 units, of which `per_minute` drain each
millisecond: whole numbers throughout. A rate and a burst are 10^9 at most and a charge
10^8, so a backlog stays below 1.1 * 10^9 cells, or 7 * 10^13 units; 2^53 is 9 * 10^15.
]]
local CELL = 60000
-- A backlog is kept longer than it takes to drain: the next plan may be slower.
local KEPT_MS = 3600000

local function backlog_of(key, per_minute, now)
  local stored = redis.call("GET", key)
  if not stored then
    return 0
  end
  local backlog, at = string.match(stored, "^(%d+):(%d+):")
  backlog = tonumber(backlog)
  local passed = math.max(0, now - tonumber(at))
  if passed > backlog / per_minute then
    return 0
  end
  return math.max(0, backlog - passed * per_minute)
end

-- Milliseconds until so many cells fit; 0 when they do now. More than the burst never
-- fit, so that many need an empty backlog and leave a debt.
local function wait_for(backlog, cells, per_minute, burst)
  local over = backlog + (math.min(cells, burst) - burst) * CELL
  return over > 0 and ceiling_of(over, per_minute) or 0
end

local function store_backlog(key, backlog, per_minute, now)
  if backlog <= 0 then
    redis.call("DEL", key)
  else
    local lives = math.ceil(backlog / per_minute) + KEPT_MS
    local value = whole(backlog) .. ":" .. whole(now) .. ":" .. whole(per_minute)
    redis.call("SET", key, value, "PX", whole(lives))
  end
end

-- Takes cells off a backlog, which drains meanwhile as fast as when it was charged.
local function give_back(key, cells, now)
  local stored = redis.call("GET", key)
  if stored then
    local per_minute = tonumber(string.match(stored, ":(%d+)$"))
    store_backlog(key, backlog_of(key, per_minute, now) - cells * CELL, per_minute, now)
  end
end
