-- One operation of the store of limits. Nothing else runs on the server meanwhile, so it is done wholly or not at all: all
-- that can fail (a key that holds something else, a clock that the client does not know) is looked at before the first write.
--
-- KEYS[1] is the prefix of all keys, with a hash tag, so that a cluster keeps them together. Behind it:
--   c:COUNTER  hash: b, e begin and end of the current window (of rolling ones: piece); u used, r reserved;
--              of rolling ones pBEGIN instead of u, what was used in each piece; x when the key expires
--   held       hash: call -> reservation, packed; leases: sorted set, call -> end of its lease
--   index      sorted set: COUNTER -> when its key expires
--   e:CALL     a call that has ended: 1 for good, 0 by its lease, so that it may still be settled
-- A key of a calendar window expires an hour after the window's end, whatever is written to it. Others live as long as what
-- they hold counts; held, leases and index as long as the longest of them.
--
-- Amounts are decimal digits. Numbers of Lua are exact up to 2^53 only, so they are added in two halves.

local prefix, operation = KEYS[1], ARGV[1]
local SPARE, REMEMBERED, ENDLESS = 3600, 3600, 1e15
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local HELD, LEASES, INDEX = prefix .. 'held', prefix .. 'leases', prefix .. 'index'

local position = 1
local function argument()
  position = position + 1
  return ARGV[position]
end

-- Amounts ---------------------------------------------------------------------------------------------------------------

local HALF = 1000000000000

local function halves(digits)
  if not digits then return 0, 0 end
  if #digits <= 12 then return 0, tonumber(digits) end
  return tonumber(string.sub(digits, 1, -13)), tonumber(string.sub(digits, -12))
end

local function digits_of(high, low)
  if high == 0 then return string.format('%.0f', low) end
  return string.format('%.0f%012.0f', high, low)
end

local function add(one, other)
  local high, low = halves(one)
  local high2, low2 = halves(other)
  high, low = high + high2, low + low2
  if low >= HALF then high, low = high + 1, low - HALF end
  return digits_of(high, low)
end

-- Never below 0.
local function subtract(one, other)
  local high, low = halves(one)
  local high2, low2 = halves(other)
  high, low = high - high2, low - low2
  if low < 0 then high, low = high - 1, low + HALF end
  if high < 0 then return '0' end
  return digits_of(high, low)
end

local function is_above(one, other)
  local high, low = halves(one)
  local high2, low2 = halves(other)
  if high ~= high2 then return high > high2 end
  return low > low2
end

-- Counters --------------------------------------------------------------------------------------------------------------

-- What an operation says of a counter: its name, its window, and the moments at which windows around now begin.
local function read_counter()
  local counter = { name = argument(), kind = argument(), piece = tonumber(argument()), horizon = tonumber(argument()) }
  counter.key = prefix .. 'c:' .. counter.name
  local count = tonumber(argument())
  if counter.kind == 'rolling' then
    counter.begin = math.floor(now / counter.piece) * counter.piece
    counter.finish = counter.begin + counter.piece
    return counter
  end
  local begin = nil
  for _ = 1, count do
    local bound = tonumber(argument())
    if begin and begin <= now and now < bound then counter.begin, counter.finish = begin, bound end
    begin = bound
  end
  if count == 0 then counter.begin, counter.finish = 0, ENDLESS end
  return counter
end

-- Return false if the client's moments do not contain now: its clock is off by more than they reach.
local function look_up(counter)
  if not counter.begin then return false end
  local fields = redis.call('HGETALL', counter.key)
  local stored = {}
  for index = 1, #fields, 2 do stored[fields[index]] = fields[index + 1] end
  counter.exists = stored.b ~= nil
  counter.expires = tonumber(stored.x or '0')
  counter.used, counter.reserved = '0', '0'
  local begin = tonumber(stored.b or '-1')
  if begin > counter.begin then -- the clock went back: what has begun goes on
    counter.begin, counter.finish = begin, tonumber(stored.e)
  end
  if counter.kind == 'rolling' then
    counter.pieces, counter.gone = {}, {}
    counter.reserved = stored.r or '0'
    for field, value in pairs(stored) do
      if string.sub(field, 1, 1) == 'p' then
        local at = tonumber(string.sub(field, 2))
        if at >= counter.begin - counter.horizon then
          table.insert(counter.pieces, { at, value })
          counter.used = add(counter.used, value)
        else
          table.insert(counter.gone, field)
        end
      end
    end
    table.sort(counter.pieces, function(one, other) return one[1] < other[1] end)
  elseif begin == counter.begin then
    counter.used, counter.reserved = stored.u or '0', stored.r or '0'
  end
  counter.turned = begin ~= counter.begin
  return true
end

local function resets_at(counter)
  if counter.kind == 'calendar' then return counter.finish end
  if counter.kind == 'rolling' and #counter.pieces > 0 then
    return counter.pieces[1][1] + counter.horizon + counter.piece
  end
end

-- When an amount fits if nothing more is used.
local function passes_at(counter, amount, most)
  if is_above(amount, most) or counter.kind == 'ever' then return nil end
  if counter.kind == 'calendar' then return counter.finish end
  local used = counter.used
  for _, piece in ipairs(counter.pieces) do
    used = subtract(used, piece[2])
    if not is_above(add(add(used, counter.reserved), amount), most) then
      return piece[1] + counter.horizon + counter.piece
    end
  end
end

local function moment(seconds)
  return seconds and string.format('%.6f', seconds) or '-'
end

local function tell(answer, counter)
  table.insert(answer, string.format('%.0f', counter.begin))
  table.insert(answer, counter.used)
  table.insert(answer, counter.reserved)
  table.insert(answer, moment(resets_at(counter)))
end

-- Expiry ----------------------------------------------------------------------------------------------------------------

local function expire(key, at)
  if at >= ENDLESS then redis.call('PERSIST', key) else redis.call('EXPIREAT', key, string.format('%.0f', at)) end
end

-- Let what holds reservations live until a moment at least: as long as any counter, so that what is reserved comes back.
local function keep_held(at)
  local longest = tonumber(redis.call('HGET', HELD, '') or '0')
  if at > longest then
    longest = at + SPARE
    redis.call('HSET', HELD, '', string.format('%.0f', longest))
    expire(HELD, longest)
    expire(INDEX, longest)
  end
  expire(LEASES, longest) -- it may have been empty, and be new
end

-- Let a counter live until a moment at least.
local function keep(name, known, at)
  if at <= known then return end
  local key = prefix .. 'c:' .. name
  redis.call('HSET', key, 'x', string.format('%.0f', at))
  expire(key, at)
  redis.call('ZREMRANGEBYSCORE', INDEX, '-inf', now)
  redis.call('ZADD', INDEX, string.format('%.0f', at), name)
  keep_held(at)
  expire(INDEX, tonumber(redis.call('HGET', HELD, '')))
end

-- Write a counter down.
local function save(counter, lease_ends)
  if counter.turned then
    if counter.kind ~= 'rolling' then
      if counter.exists then redis.call('DEL', counter.key) end
      counter.expires = 0
    end
    redis.call('HSET', counter.key, 'b', string.format('%.0f', counter.begin), 'e', string.format('%.0f', counter.finish))
  end
  redis.call('HSET', counter.key, 'r', counter.reserved)
  local ends
  if counter.kind == 'rolling' then
    for _, field in ipairs(counter.gone) do redis.call('HDEL', counter.key, field) end
    for _, piece in ipairs(counter.pieces) do
      if piece.changed then redis.call('HSET', counter.key, 'p' .. string.format('%.0f', piece[1]), piece[2]) end
    end
    ends = math.max(counter.finish + counter.horizon, lease_ends) + SPARE
  else
    redis.call('HSET', counter.key, 'u', counter.used)
    if counter.kind == 'calendar' then
      ends = counter.finish + SPARE
    elseif counter.used ~= '0' then
      ends = ENDLESS
    elseif counter.reserved == '0' then
      redis.call('DEL', counter.key)
      redis.call('ZREM', INDEX, counter.name)
      return
    else
      ends = lease_ends + SPARE
    end
  end
  -- Rolling and endless windows move with what is written to them; not at every write, though.
  if counter.kind == 'calendar' or ends > counter.expires then
    keep(counter.name, counter.expires, counter.kind == 'calendar' and ends or ends + SPARE)
  end
end

-- Reservations ----------------------------------------------------------------------------------------------------------

local function give_back(id, packed)
  for _, part in ipairs(cmsgpack.unpack(packed)[2]) do
    local name, kind, begin, amount = part[1], part[2], part[3], part[4]
    local key = prefix .. 'c:' .. name
    local stored = redis.call('HMGET', key, 'b', 'r', 'u')
    if stored[1] and (kind == 'rolling' or stored[1] == begin) then
      local left = subtract(stored[2], amount)
      if left == '0' and kind == 'ever' and stored[3] == '0' then
        redis.call('DEL', key)
        redis.call('ZREM', INDEX, name)
      else
        redis.call('HSET', key, 'r', left)
      end
    end
  end
  redis.call('HDEL', HELD, id)
  redis.call('ZREM', LEASES, id)
end

local function remember(id, state)
  redis.call('SET', prefix .. 'e:' .. id, state, 'EX', REMEMBERED)
end

local function end_leases()
  while true do
    local over = redis.call('ZRANGEBYSCORE', LEASES, '-inf', string.format('%.6f', now), 'LIMIT', 0, 100)
    if #over == 0 then return end
    for _, id in ipairs(over) do
      local packed = redis.call('HGET', HELD, id)
      if packed then give_back(id, packed) else redis.call('ZREM', LEASES, id) end
      remember(id, '0')
    end
  end
end

-- Operations ------------------------------------------------------------------------------------------------------------

local operations = {}

function operations.reserve()
  local id, lease, count = argument(), tonumber(argument()), tonumber(argument())
  local ended = redis.call('GET', prefix .. 'e:' .. id)
  if ended then return { 'ended', moment(now) } end
  local takes = {}
  for index = 1, count do
    local take = { counter = read_counter(), most = argument(), amount = argument() }
    if not look_up(take.counter) then return { 'clock', moment(now) } end
    takes[index] = take
  end
  local packed = redis.call('HGET', HELD, id)
  if packed then
    local record = cmsgpack.unpack(packed)
    local answer = { 'granted', moment(now), record[1] }
    for index, take in ipairs(takes) do
      local part = record[2][index]
      if not part or part[1] ~= take.counter.name or part[4] ~= take.amount then return { 'other', moment(now) } end
      tell(answer, take.counter)
      answer[#answer - 3] = part[3]
    end
    return answer
  end
  for index, take in ipairs(takes) do
    local counter = take.counter
    local together = add(add(counter.used, counter.reserved), take.amount)
    if take.most ~= '' and is_above(together, take.most) then
      local answer = { 'refused', moment(now), tostring(index), moment(passes_at(counter, take.amount, take.most)) }
      tell(answer, counter)
      return answer
    end
  end
  local lease_ends = now + lease
  local answer, parts = { 'granted', moment(now), moment(lease_ends) }, {}
  for index, take in ipairs(takes) do
    local counter = take.counter
    counter.reserved = add(counter.reserved, take.amount)
    save(counter, lease_ends)
    parts[index] = { counter.name, counter.kind, string.format('%.0f', counter.begin), take.amount }
    tell(answer, counter)
  end
  redis.call('HSET', HELD, id, cmsgpack.pack({ moment(lease_ends), parts }))
  redis.call('ZADD', LEASES, moment(lease_ends), id)
  keep_held(lease_ends + SPARE)
  return answer
end

function operations.settle()
  local id, count = argument(), tonumber(argument())
  local packed = redis.call('HGET', HELD, id)
  local fresh = packed or redis.call('GET', prefix .. 'e:' .. id) ~= '1'
  local first = position
  for _ = 1, count do
    if not look_up(read_counter()) then return { 'clock', moment(now) } end
    position = position + 2
  end
  position = first
  if packed then give_back(id, packed) end
  if fresh then remember(id, '1') end
  local answer = { 'settled', moment(now) }
  for _ = 1, count do
    local counter, begin, used = read_counter(), tonumber(argument()), argument()
    look_up(counter)
    if fresh and used ~= '0' then
      if counter.kind == 'rolling' then
        if begin <= counter.begin and begin >= counter.begin - counter.horizon then
          local found
          for _, piece in ipairs(counter.pieces) do
            if piece[1] == begin then found = piece end
          end
          if not found then
            found = { begin, '0' }
            table.insert(counter.pieces, found)
            table.sort(counter.pieces, function(one, other) return one[1] < other[1] end)
          end
          found[2], found.changed = add(found[2], used), true
          counter.used = add(counter.used, used)
          save(counter, 0)
        end
      elseif begin == counter.begin then
        counter.used = add(counter.used, used)
        save(counter, 0)
      end
    end
    tell(answer, counter)
  end
  return answer
end

function operations.release()
  local id = argument()
  local packed = redis.call('HGET', HELD, id)
  if packed then give_back(id, packed) end
  remember(id, '1')
  return { 'released', moment(now) }
end

function operations.renew()
  local id, lease = argument(), tonumber(argument())
  local packed = redis.call('HGET', HELD, id)
  if not packed then return { 'ended', moment(now) } end
  local record = cmsgpack.unpack(packed)
  record[1] = moment(now + lease)
  redis.call('HSET', HELD, id, cmsgpack.pack(record))
  redis.call('ZADD', LEASES, record[1], id)
  keep_held(now + lease + SPARE)
  for _, part in ipairs(record[2]) do
    local known = redis.call('HGET', prefix .. 'c:' .. part[1], 'x')
    if known and part[2] ~= 'calendar' then keep(part[1], tonumber(known), now + lease + SPARE) end
  end
  return { 'renewed', moment(now) }
end

function operations.read()
  local answer = { 'read', moment(now) }
  for _ = 1, tonumber(argument()) do
    local counter = read_counter()
    if not look_up(counter) then return { 'clock', moment(now) } end
    tell(answer, counter)
  end
  return answer
end

end_leases()
-- One text, not a list: clients read that with a fifth of the work.
return table.concat(operations[operation](), ' ')
