-- Read before each script. Its arguments travel as one, a JSON array of strings.
local ARGV = cjson.decode(ARGV[1])
