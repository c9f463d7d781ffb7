--[[
Admits a segment of a turn, or says what keeps it out: N rates, two kinds of slot and
holds on every budget above the turn, all of them or none. A refusal changes nothing.

What was admitted already by (turn, segment, attempt) is admitted again: it keeps its slot
and its hold, and takes nothing twice. A running turn is never refused its slot.

KEYS[1]  the tenant's slots           KEYS[2]  the principal's slots
KEYS[3]  the tenant's marker          KEYS[4]  turns released a moment ago
KEYS[5]  the account                  KEYS[6]  the turn's record
KEYS[7…] the rates' backlogs
ARGV[1]  "admit", or "look" to change nothing and hear from every gate
ARGV[2]  the turn                     ARGV[3]  the segment      ARGV[4]  the attempt
ARGV[5]  a slot's time to live, ms
ARGV[6]  "1" when nobody can have held a slot until now; "2" when somebody else just found that,
         and opens the tenant: 8 is answered until that one was here
ARGV[7]  how long running turns have to register again, ms
ARGV[8]  how much longer their holds have, ms
ARGV[9]  the marker's time to live, ms
ARGV[10] the tenant's slots           ARGV[11] the principal's, 0 for no limit
ARGV[12] principal                    ARGV[13] key              ARGV[14] agent
ARGV[15] the account's version        ARGV[16] changed          ARGV[17] settled, as they were read
ARGV[18] "1": never answer STALE, but decide by the worst case
ARGV[19] what the prompt costs        ARGV[20] an answer token's price
ARGV[21] the most that is answered    ARGV[22] the least that is worth a call
ARGV[23] what must be left at least   ARGV[24] the prompt's tokens
ARGV[25] how many budgets; then for each: field, limit, spent
then how many rates; then for each: a minute, burst, cells ("tokens" for the call's), "1" where it may refuse

Returns {outcome, slots taken, budget, left, rate, ms, lane, ms, ms closed, output granted,
clamped, hold, open parts: name, value …}; outcomes:
1 admitted, 2 over budget, 3 over rate, 4 no slot, 5 the state was lost, 6 stale: read again,
8 not open yet: ask again in a moment.
With "look" the outcome is the same and nothing has changed. Budget, rate and lane are
numbered from 1, 0 where the gate lets the turn pass; lane 1 is the tenant's slots.
]]
local slots, lane, marker, released, account, record = unpack(KEYS, 1, 6)
local look, turn, segment, attempt = ARGV[1] == "look", ARGV[2], tonumber(ARGV[3]), ARGV[4]
local ttl, now = tonumber(ARGV[5]), clock()
if overtakes(marker, ARGV[6]) then
  return { 8 }
end
local fields = fields_of(record)
local name = "p:" .. ARGV[3] .. ":a" .. attempt
local known = fields[name]

-- The rates.
local budget_count = tonumber(ARGV[25])
local rates, at = {}, 27 + budget_count * 3
for i = 1, tonumber(ARGV[at - 1]) do
  local per_minute = tonumber(ARGV[at])
  rates[i] = {
    key = KEYS[6 + i],
    per_minute = per_minute,
    burst = tonumber(ARGV[at + 1]),
    cells = tonumber(ARGV[at + 2]),
    refuses = ARGV[at + 3] == "1",
    backlog = backlog_of(KEYS[6 + i], per_minute, now),
  }
  at = at + 4
end

-- Usage.
local ask = {
  input_cost = tonumber(ARGV[19]),
  price = tonumber(ARGV[20]),
  most = tonumber(ARGV[21]),
  least = tonumber(ARGV[22]),
  floor = tonumber(ARGV[23]),
}
local output, hold, budget, left = ask.most, 0, 0, 0
if not known and budget_count > 0 then
  local budgets = budgets_from(account, 26, budget_count)
  local slack = missed(account, tonumber(ARGV[15]), tonumber(ARGV[17]))
  local patient = ARGV[18] ~= "1"
  if slack == nil and patient then
    return { 6 }
  end
  local second, third
  output, second, third = fit(budgets, slack or 0, ask)
  if patient and (slack or 0) > 0 and output ~= ask.most then
    return { 6 }
  end
  if output then
    hold = second
  else
    output, budget, left = 0, second, third
  end
end

-- Rates: of several the longest wait.
local rate, rate_wait = 0, 0
local tokens = tonumber(ARGV[24]) + output
for i, each in ipairs(rates) do
  each.cells = each.cells or tokens
  local wait = wait_for(each.backlog, each.cells, each.per_minute, each.burst)
  if not known and each.refuses and wait > rate_wait then
    rate, rate_wait = i, wait
  end
end

-- Slots.
local taken = count(slots, now)
local lane_number, lane_wait = 0, 0
local mine = redis.call("ZSCORE", slots, turn)
if not mine or tonumber(mine) <= now then
  local limit = tonumber(ARGV[11])
  if taken >= tonumber(ARGV[10]) then
    lane_number, lane_wait = 1, wait_for_slot(slots, now)
  elseif limit > 0 and count(lane, now) >= limit then
    lane_number, lane_wait = 2, wait_for_slot(lane, now)
  end
end

-- The state.
local later = tonumber(ARGV[8])
local opens, had = opens_at(marker, ARGV[6], tonumber(ARGV[7]), later, now)
local closed = 0
if budget_count > 0 and not known then
  closed = math.max(0, opens + later - now)
elseif not mine then
  closed = math.max(0, opens - now)
end

local outcome = 1
if budget > 0 then
  outcome = 2
elseif rate > 0 then
  outcome = 3
elseif lane_number > 0 then
  outcome = 4
elseif closed > 0 then
  outcome = 5
end
local clamped = output < ask.most
if known then
  local amount, _, granted, was_clamped = part_of(known)
  hold, output, clamped = amount, granted, was_clamped
end
local answer = {
  outcome, taken, budget, left, rate, rate_wait, lane_number, lane_wait, closed,
  output, clamped and 1 or 0, hold,
}
if look then
  return answer
end
if not had then
  redis.call("SET", marker, whole(opens), "PX", ARGV[9])
end
if outcome ~= 1 then
  return answer
end

-- All of it.
redis.call("PEXPIRE", marker, ARGV[9])
take(slots, turn, now, ttl)
take(lane, turn, now, ttl)
redis.call("ZREM", released, turn)
if not mine or tonumber(mine) <= now then
  answer[2] = taken + 1
end
if not known then
  for _, each in ipairs(rates) do
    store_backlog(each.key, each.backlog + each.cells * CELL, each.per_minute, now)
  end
  fields.principal, fields.key, fields.agent = ARGV[12], ARGV[13], ARGV[14]
  fields[name] = part(hold, tokens, output, clamped)
  redis.call("HSET", record, "segment", ARGV[3], "attempt", attempt,
    "principal", ARGV[12], "key", ARGV[13], "agent", ARGV[14], name, fields[name])
  redis.call("HDEL", record, "lost")
  if tonumber(fields.ended or "-1") >= segment then
    redis.call("HDEL", record, "ended")
  end
  if budget_count > 0 then
    add_held(account, fields, hold)
    see_account(account, ARGV[15], ARGV[16], ARGV[17])
    let_account_lapse(account)
  end
  let_record_lapse(record, open_of(fields))
end
for _, each in ipairs(parts_of(fields)) do
  answer[#answer + 1] = each
end
return answer
