--[[
What turns hold on the budgets above them.

A turn's record is a hash:
  segment, attempt      as it was admitted last
  principal, key, agent whose budgets it holds on
  ended                 the last segment that was released
  lost                  how many more heartbeats are asked for its receipt
  p:<segment>:a<attempt>        the part that an admission took
  p:<segment>:<step>:<attempt>  the part that an Extend took; or a note that it is settled
A part is "<micro-dollars>:<tokens>:<output>:<clamped>": what it holds, what it was charged of
the tokens a minute, and the answer's limit that was granted. A settled part stays as
zeros, so that a replay finds it settled.

The account is a hash of the tenant's: version, changed, settled (see `read_standing`),
and held:<scope>:<subject>, the sums of all open parts. Money in it is below 10^15 for each
limit, so that sums stay below 2^53.

A record, and the account, with something open never expires: what nobody settles keeps
counting in full.
]]
local IDLE_RECORD_MS = 3600000
local IDLE_ACCOUNT_MS = 86400000

local function cost_of(tokens, price)
  return ceiling_of(tokens * price, 1000000)
end

local function fields_of(record)
  local flat, fields = redis.call("HGETALL", record), {}
  for i = 1, #flat, 2 do
    fields[flat[i]] = flat[i + 1]
  end
  return fields
end

local function part_of(value)
  local amount, tokens, output, clamped = string.match(value, "^(%d+):(%d+):(%d+):(%d)$")
  return tonumber(amount), tonumber(tokens), tonumber(output), clamped == "1"
end

local function part(amount, tokens, output, clamped)
  local numbers = whole(amount) .. ":" .. whole(tokens) .. ":" .. whole(output)
  return numbers .. ":" .. (clamped and "1" or "0")
end

local function open_of(fields)
  local sum = 0
  for name, value in pairs(fields) do
    if string.sub(name, 1, 2) == "p:" then
      sum = sum + part_of(value)
    end
  end
  return sum
end

local function see_account(account, version, changed, settled)
  local seen = redis.call("HMGET", account, "version", "changed", "settled")
  local args = {}
  for i, pair in ipairs({ { "version", version }, { "changed", changed }, { "settled", settled } }) do
    if tonumber(pair[2]) > tonumber(seen[i] or "0") then
      args[#args + 1] = pair[1]
      args[#args + 1] = pair[2]
    end
  end
  if #args > 0 then
    redis.call("HSET", account, unpack(args))
  end
end

local function let_account_lapse(account)
  if redis.call("HEXISTS", account, "held:tenant:") == 1 then
    redis.call("PERSIST", account)
  else
    redis.call("PEXPIRE", account, IDLE_ACCOUNT_MS)
  end
end

-- Adds to what those above a turn have held; takes away what is negative.
local function add_held(account, fields, amount)
  if amount == 0 then
    return
  end
  local scopes = { "held:tenant:", "held:principal:" .. fields.principal }
  if fields.key ~= "" then
    scopes[#scopes + 1] = "held:key:" .. fields.key
  end
  if fields.agent ~= "" then
    scopes[#scopes + 1] = "held:agent:" .. fields.agent
  end
  for _, scope in ipairs(scopes) do
    if redis.call("HINCRBY", account, scope, whole(amount)) <= 0 then
      redis.call("HDEL", account, scope)
    end
  end
end

-- What is open decides whether a record may lapse.
local function let_record_lapse(record, open)
  if open > 0 then
    redis.call("PERSIST", record)
  else
    redis.call("PEXPIRE", record, IDLE_RECORD_MS)
  end
end

-- Reads budgets from ARGV: field, limit, spent for each.
local function budgets_from(account, first, count)
  local budgets = {}
  for i = 1, count do
    local at = first + (i - 1) * 3
    budgets[i] = {
      limit = tonumber(ARGV[at + 1]),
      spent = tonumber(ARGV[at + 2]),
      held = tonumber(redis.call("HGET", account, ARGV[at]) or "0"),
    }
  end
  return budgets
end

-- How much the caller's read of Postgres may have missed: what was settled since, or nil
-- when a limit has changed.
local function missed(account, version, settled)
  local seen = redis.call("HMGET", account, "changed", "settled")
  if tonumber(seen[1] or "0") > version then
    return nil
  end
  return math.max(0, tonumber(seen[2] or "0") - settled)
end

-- Fits a call under every budget.
--
-- Returns output, amount; or nil, the budget that is too small, what is left of it.
local function fit(budgets, missed_sum, ask)
  local left, tightest = math.huge, 0
  for i, budget in ipairs(budgets) do
    local each = budget.limit - budget.spent - budget.held - missed_sum
    if each < left then
      left, tightest = each, i
    end
  end
  local wanted = ask.input_cost + cost_of(ask.most, ask.price)
  if math.max(wanted, ask.floor) <= left then
    return ask.most, wanted
  end
  if ask.price > 0 and left > ask.input_cost then
    -- Here less is left than the answer may cost (9 * 10^9): the product is exact.
    local output = floor_of((left - ask.input_cost) * 1000000, ask.price)
    if output >= math.min(ask.least, ask.most) and output > 0 then
      return output, ask.input_cost + cost_of(output, ask.price)
    end
  end
  return nil, tightest, math.max(0, left)
end

local function parts_of(fields)
  local parts = {}
  for name, value in pairs(fields) do
    if string.sub(name, 1, 2) == "p:" and part_of(value) > 0 then
      parts[#parts + 1] = name
      parts[#parts + 1] = value
    end
  end
  return parts
end
