--[[
Lets the parts of a hold fall whose calls the ledger has. Runs after the ledger's commit.

A call that has no part of its own settles the segment's oldest admission. Each call
leaves a note, so that settling it again lets nothing further fall. What was charged of
the tokens a minute beyond what was used is given back.

KEYS[1]  the account                  KEYS[2]  the turn's record
KEYS[3]  the backlog of tokens
ARGV[1]  the account's version        ARGV[2]  changed          ARGV[3]  settled, after the commit
ARGV[4]  the segment
ARGV[5…] step, attempt, tokens used, for each model call

Returns what the turn still holds.
]]
local account, record, now = KEYS[1], KEYS[2], clock()
local prefix = "p:" .. ARGV[4] .. ":"
see_account(account, ARGV[1], ARGV[2], ARGV[3])

local fields = fields_of(record)

local function oldest_admission()
  local oldest
  for name, value in pairs(fields) do
    local attempt = tonumber(string.match(name, "^p:" .. ARGV[4] .. ":a(%d+)$") or nil)
    if attempt and (not oldest or attempt < oldest) and part_of(value) + select(2, part_of(value)) > 0 then
      oldest = attempt
    end
  end
  return oldest and prefix .. "a" .. oldest
end

local dropped, back = 0, 0
for i = 5, #ARGV, 3 do
  local own = prefix .. ARGV[i] .. ":" .. ARGV[i + 1]
  local name = fields[own] and own or oldest_admission()
  if name then
    local amount, tokens = part_of(fields[name])
    dropped = dropped + amount
    if tokens > 0 then
      back = back + math.max(0, tokens - tonumber(ARGV[i + 2]))
    end
    fields[name] = part(0, 0, 0, false)
    redis.call("HSET", record, name, fields[name])
  end
  if name ~= own then
    fields[own] = part(0, 0, 0, false)
    redis.call("HSET", record, own, fields[own])
  end
end
if back > 0 then
  give_back(KEYS[3], back, now)
end
add_held(account, fields, -dropped)
let_account_lapse(account)
local open = open_of(fields)
let_record_lapse(record, open)
return open
