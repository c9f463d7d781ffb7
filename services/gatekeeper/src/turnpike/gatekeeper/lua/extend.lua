--[[
Goes on with a segment for another step: renews its slots, and tops its hold up by what
the step may cost, or says that a budget is too small. A refusal changes nothing.

What was extended already by (segment, step, attempt) keeps its part. A record that Redis
lost is begun anew. The tokens a minute are charged and never refuse: the turn runs.

KEYS[1]  the tenant's slots           KEYS[2]  the principal's slots
KEYS[3]  the tenant's marker          KEYS[4]  turns released a moment ago
KEYS[5]  the account                  KEYS[6]  the turn's record
KEYS[7]  the backlog of tokens, where there is a limit
ARGV[1]  the turn                     ARGV[2]  the segment
ARGV[3]  the step                     ARGV[4]  the attempt
ARGV[5]  a slot's time to live, ms    ARGV[6]  as in admit.lua
ARGV[7]  how long running turns have to register again, ms
ARGV[8]  how much longer their holds have, ms
ARGV[9]  the marker's time to live, ms
ARGV[10] principal                    ARGV[11] key              ARGV[12] agent
ARGV[13] the account's version        ARGV[14] changed          ARGV[15] settled, as they were read
ARGV[16] "1": never answer STALE, but decide by the worst case
ARGV[17] what the prompt costs        ARGV[18] an answer token's price
ARGV[19] the most that is answered    ARGV[20] the least that is worth a call
ARGV[21] what must be left at least   ARGV[22] the prompt's tokens
ARGV[23] tokens a minute, 0 for no limit
ARGV[24] how many budgets; then for each: field, limit, spent

Returns {outcome, budget, left, ms closed, output granted, clamped, hold of the whole turn,
open parts: name, value …}; outcomes as in admit.lua, and 7: the segment was released.
]]
local slots, lane, marker, released, account, record = unpack(KEYS, 1, 6)
local turn, now, ttl = ARGV[1], clock(), tonumber(ARGV[5])
if overtakes(marker, ARGV[6]) then
  return { 8 }
end
local fields = fields_of(record)
local name = "p:" .. ARGV[2] .. ":" .. ARGV[3] .. ":" .. ARGV[4]
local known = fields[name]
if tonumber(fields.ended or "-1") >= tonumber(ARGV[2]) then
  return { 7, 0, 0, 0, 0, 0, 0 }
end

local budget_count = tonumber(ARGV[24])
local ask = {
  input_cost = tonumber(ARGV[17]),
  price = tonumber(ARGV[18]),
  most = tonumber(ARGV[19]),
  least = tonumber(ARGV[20]),
  floor = tonumber(ARGV[21]),
}
local output, hold = ask.most, 0
local later = tonumber(ARGV[8])
local opens, had = opens_at(marker, ARGV[6], tonumber(ARGV[7]), later, now)
if not had then
  redis.call("SET", marker, whole(opens), "PX", ARGV[9])
end
if not known and budget_count > 0 then
  local budgets = budgets_from(account, 25, budget_count)
  local slack = missed(account, tonumber(ARGV[13]), tonumber(ARGV[15]))
  local patient = ARGV[16] ~= "1"
  if slack == nil and patient then
    return { 6 }
  end
  local second, third
  output, second, third = fit(budgets, slack or 0, ask)
  if patient and (slack or 0) > 0 and output ~= ask.most then
    return { 6 }
  end
  if not output then
    return { 2, second, third, 0, 0, 0, 0 }
  end
  if now < opens + later then
    return { 5, 0, 0, opens + later - now, 0, 0, 0 }
  end
  hold = second
end

redis.call("PEXPIRE", marker, ARGV[9])
take(slots, turn, now, ttl)
take(lane, turn, now, ttl)
redis.call("ZREM", released, turn)
local clamped = output < ask.most
if known then
  local _, _, granted, was_clamped = part_of(known)
  output, clamped = granted, was_clamped
else
  local tokens = tonumber(ARGV[22]) + output
  local per_minute = tonumber(ARGV[23])
  if per_minute > 0 then
    local backlog = backlog_of(KEYS[7], per_minute, now)
    store_backlog(KEYS[7], backlog + tokens * CELL, per_minute, now)
  end
  fields.principal, fields.key, fields.agent = ARGV[10], ARGV[11], ARGV[12]
  fields[name] = part(hold, tokens, output, clamped)
  redis.call("HSET", record, "segment", fields.segment or ARGV[2], "principal", ARGV[10],
    "key", ARGV[11], "agent", ARGV[12], name, fields[name])
  if budget_count > 0 then
    add_held(account, fields, hold)
    see_account(account, ARGV[13], ARGV[14], ARGV[15])
    let_account_lapse(account)
  end
end
local open = open_of(fields)
let_record_lapse(record, open)
local answer = { 1, 0, 0, 0, output, clamped and 1 or 0, open }
for _, each in ipairs(parts_of(fields)) do
  answer[#answer + 1] = each
end
return answer
