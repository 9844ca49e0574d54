--[[
A fair gate before one queue: start-time fair queueing of tenants by weight. What is ready waits here; the queue behind it
holds a small window, so that what comes later can still go first. Each id costs O(log n).

KEYS[1]  state of the gate, a hash: time (the system's virtual time), tickets (the last number), capacity (the sum)
KEYS[2]  the queue's list of waiting jobs
ARGV[1]  what the keys of the queue's jobs begin with
ARGV[2]  JSON:
  added     [id, tenant, weight, cap (0: none), place, cost, body]*: ready; the least place of a tenant goes first, then
            the least id. An id that waits here already, or in the queue, is not added again
  finished  [id, ticket, cost (absent: as estimated)]*: followed, or given up
  consumer  [name, capacity]: hints that it can have in work, until it says so again or capacityMs have passed; may be absent
  leaseMs, sendingMs, capacityMs: how long to believe in what was handed out, is on its way to the queue, was announced
Output   [id, ticket, body]*, flat, in order: let through, to be put into the queue as jobs with the ticket as id

Further keys, each KEYS[1] and:
  :ready:<tenant>   sorted set  id → place
  :bodies           hash        id → cost and body, of what is ready
  :shares           hash        tenant → weight and cap, of tenants with something ready
  :tenants          sorted set  tenant → virtual time, of those with something ready and room under their cap
  :parked           sorted set  tenant → when its first lease expires, of those with something ready and no such room
  :idle             sorted set  tenant → virtual time, of the others, where it is ahead of the system's
  :leases:<tenant>  sorted set  ticket → expiry, of what was let through; only where the tenant has a cap
  :sending          sorted set  ticket → expiry, of what was let through and may not have come to the queue yet
  :out:<id>         the ticket under which an id was last let through, and what was charged
  :consumers        sorted set  consumer → expiry
  :capacities       hash        consumer → capacity
]]
local call = redis.call
local gate, wait, jobs = KEYS[1], KEYS[2], ARGV[1]
local request = cjson.decode(ARGV[2])
-- Most that one call lets through: it must not hold Redis for long. The next call goes on.
local MOST = 1000

local clock = call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local state = call('HMGET', gate, 'time', 'tickets', 'capacity')
local time = tonumber(state[1] or 0)
-- An emptied Redis must not give out the tickets again that some still hold.
local tickets = tonumber(state[2] or now * 1000)
local capacity = tonumber(state[3] or 0)

local function exact(number)
  return string.format('%.17g', number)
end

-- A tenant that comes back has saved up nothing, and still owes what it had ahead of the others.
local function join(tenant)
  local own = call('ZSCORE', gate .. ':idle', tenant)
  if own then call('ZREM', gate .. ':idle', tenant) end
  call('ZADD', gate .. ':tenants', exact(math.max(tonumber(own or 0), time)), tenant)
end

local function unpark(tenant)
  if call('ZREM', gate .. ':parked', tenant) == 1 then join(tenant) end
end

local function park(tenant, own)
  local first = call('ZRANGE', gate .. ':leases:' .. tenant, 0, 0, 'WITHSCORES')
  call('ZREM', gate .. ':tenants', tenant)
  call('ZADD', gate .. ':idle', exact(own), tenant)
  call('ZADD', gate .. ':parked', first[2], tenant)
end

local function lastOut(id)
  local packed = call('GET', gate .. ':out:' .. id)
  return packed and cmsgpack.unpack(packed)
end

local function endLease(out)
  if not out.isCapped then return end
  if call('ZREM', gate .. ':leases:' .. out.tenant, out.ticket) == 1 then unpark(out.tenant) end
end

local function charge(out, cost)
  local more = (cost - out.cost) / out.weight
  for _, set in ipairs({ gate .. ':tenants', gate .. ':idle' }) do
    if call('ZSCORE', set, out.tenant) then
      call('ZINCRBY', set, exact(more), out.tenant)
      return
    end
  end
  local own = out.finish + more
  if own > time then call('ZADD', gate .. ':idle', exact(own), out.tenant) end
end

local function isWaiting(out)
  local job = jobs .. out.ticket
  if call('EXISTS', job) == 1 then return call('HEXISTS', job, 'processedOn') == 0 end
  return call('ZSCORE', gate .. ':sending', out.ticket)
end

local function add(id, tenant, weight, cap, place, cost, body)
  local out = lastOut(id)
  if out then
    if isWaiting(out) then return end
    -- Offered again by its holder, or because the holder died.
    endLease(out)
  end
  local share = exact(weight) .. ' ' .. cap
  if call('HGET', gate .. ':shares', tenant) ~= share then
    call('HSET', gate .. ':shares', tenant, share)
    unpark(tenant)
  end
  local ready = gate .. ':ready:' .. tenant
  if call('ZADD', ready, exact(place), id) == 0 then return end
  call('HSET', gate .. ':bodies', id, cost .. ' ' .. body)
  if call('ZCARD', ready) == 1 then join(tenant) end
end

local function finish(id, ticket, cost)
  call('ZREM', gate .. ':sending', ticket)
  local out = lastOut(id)
  if not out or out.ticket ~= ticket then return end
  call('DEL', gate .. ':out:' .. id)
  if cost then charge(out, cost) end
  endLease(out)
end

local function announce(consumer, own)
  capacity = capacity + own - (call('HGET', gate .. ':capacities', consumer) or 0)
  if own > 0 then
    call('HSET', gate .. ':capacities', consumer, own)
    call('ZADD', gate .. ':consumers', now + request.capacityMs, consumer)
  else
    call('HDEL', gate .. ':capacities', consumer)
    call('ZREM', gate .. ':consumers', consumer)
  end
end

local function expire()
  for _, consumer in ipairs(call('ZRANGEBYSCORE', gate .. ':consumers', '-inf', now)) do
    announce(consumer, 0)
  end
  for _, tenant in ipairs(call('ZRANGEBYSCORE', gate .. ':parked', '-inf', now)) do
    unpark(tenant)
  end
end

-- How many are on their way to the queue.
local function sending()
  local count = 0
  local tickets = call('ZRANGE', gate .. ':sending', 0, -1, 'WITHSCORES')
  for at = 1, #tickets, 2 do
    if tonumber(tickets[at + 1]) <= now or call('EXISTS', jobs .. tickets[at]) == 1 then
      call('ZREM', gate .. ':sending', tickets[at])
    else
      count = count + 1
    end
  end
  return count
end

local function hasRoom(tenant, cap)
  if cap == 0 then return true end
  call('ZREMRANGEBYSCORE', gate .. ':leases:' .. tenant, '-inf', now)
  return call('ZCARD', gate .. ':leases:' .. tenant) < cap
end

-- The first of a tenant.
local function pop(tenant, own, weight, cap)
  local ready = gate .. ':ready:' .. tenant
  local id = call('ZPOPMIN', ready)[1]
  local cost, body = string.match(call('HGET', gate .. ':bodies', id), '^(%S+) (.*)$')
  call('HDEL', gate .. ':bodies', id)
  tickets = tickets + 1
  time = math.max(time, own)
  local out = { ticket = string.format('t%d', tickets), tenant = tenant, weight = weight }
  out.isCapped = cap > 0
  out.cost = tonumber(cost)
  out.finish = own + out.cost / weight
  if call('EXISTS', ready) == 1 then
    call('ZADD', gate .. ':tenants', exact(out.finish), tenant)
  else
    call('ZREM', gate .. ':tenants', tenant)
    call('HDEL', gate .. ':shares', tenant)
    call('ZADD', gate .. ':idle', exact(out.finish), tenant)
  end
  call('SET', gate .. ':out:' .. id, cmsgpack.pack(out), 'PX', request.leaseMs)
  call('ZADD', gate .. ':sending', now + request.sendingMs, out.ticket)
  if out.isCapped then
    call('ZADD', gate .. ':leases:' .. tenant, now + request.leaseMs, out.ticket)
    call('PEXPIRE', gate .. ':leases:' .. tenant, request.leaseMs)
  end
  return id, out.ticket, body
end

for _, one in ipairs(request.finished) do finish(unpack(one)) end
for _, one in ipairs(request.added) do add(unpack(one)) end
-- Consumers say so again and again, which is often enough to look for what is over.
if request.consumer then
  announce(unpack(request.consumer))
  expire()
end

local through = {}
local room = math.min(2 * capacity - call('LLEN', wait) - sending(), MOST)
while room > 0 do
  local first = call('ZRANGE', gate .. ':tenants', 0, 0, 'WITHSCORES')
  if not first[1] then break end
  local tenant, own = first[1], tonumber(first[2])
  local weight, cap = string.match(call('HGET', gate .. ':shares', tenant), '^(%S+) (%d+)$')
  weight, cap = tonumber(weight), tonumber(cap)
  if hasRoom(tenant, cap) then
    for _, part in ipairs({ pop(tenant, own, weight, cap) }) do table.insert(through, part) end
    room = room - 1
  else
    park(tenant, own)
  end
end
if request.consumer then call('HSET', gate, 'capacity', capacity) end
if through[1] then
  call('ZREMRANGEBYSCORE', gate .. ':idle', '-inf', exact(time))
  call('HSET', gate, 'time', exact(time), 'tickets', exact(tickets))
end
return through
