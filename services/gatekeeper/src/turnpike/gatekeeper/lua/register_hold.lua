--[[
Registers again what a turn holds, by its receipt, after Redis lost it. A part that is
known stays as it is, also one that is settled.

KEYS[1]  the account                  KEYS[2]  the turn's record
ARGV[1]  principal                    ARGV[2]  key              ARGV[3]  agent
ARGV[4…] name, value, for each part

Returns what the turn holds then.
]]
local account, record = KEYS[1], KEYS[2]
local fields = fields_of(record)
fields.principal, fields.key, fields.agent = ARGV[1], ARGV[2], ARGV[3]
redis.call("HSET", record, "principal", ARGV[1], "key", ARGV[2], "agent", ARGV[3])
redis.call("HDEL", record, "lost")
local added = 0
for i = 4, #ARGV, 2 do
  local of = tonumber(string.match(ARGV[i], "^p:(%d+):") or nil)
  if not fields[ARGV[i]] and of and of > tonumber(fields.ended or "-1") then
    fields[ARGV[i]] = ARGV[i + 1]
    redis.call("HSET", record, ARGV[i], ARGV[i + 1])
    added = added + part_of(ARGV[i + 1])
  end
end
add_held(account, fields, added)
let_account_lapse(account)
local open = open_of(fields)
let_record_lapse(record, open)
return open
