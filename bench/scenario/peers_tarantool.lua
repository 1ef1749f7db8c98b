-- Argument: the address to listen on. Nothing is kept.
local address = ...
box.cfg{wal_mode = 'none', checkpoint_interval = 0, memtx_memory = 1024 ^ 3, readahead = 65536}
local reads = box.schema.space.create('reads')
reads:create_index('primary', {type = 'tree', parts = {{1, 'unsigned'}, {2, 'unsigned'}, {3, 'unsigned'}}})
box.schema.user.grant('guest', 'super')

-- load_reads stores rows of reader, time, item.
function load_reads(rows)
  box.begin()
  for _, row in ipairs(rows) do reads:replace(row) end
  box.commit()
end

-- keen says whether the reader's reads after a time are of five items or more.
function keen(reader, after)
  local seen, n = {}, 0
  for _, read in reads:pairs({reader, after}, {iterator = 'GT'}) do
    if read[1] ~= reader then break end
    if not seen[read[3]] then
      seen[read[3]] = true
      n = n + 1
    end
  end
  return n >= 5
end

box.cfg{listen = address}
