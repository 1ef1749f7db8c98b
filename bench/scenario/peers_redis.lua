-- KEYS[1]: a sorted set of the reader's reads, ITEM@TIME by time.
-- ARGV[1]: reads after this time count. 1 if they are of five items or more.
local reads = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. ARGV[1], '+inf')
local seen, n = {}, 0
for i = 1, #reads do
  local item = string.match(reads[i], '^%d+')
  if not seen[item] then
    seen[item] = true
    n = n + 1
  end
end
return n >= 5 and 1 or 0
