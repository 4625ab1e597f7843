local proto = Proto(dialect.name, dialect.title)
local about = {
	tpdu = ProtoField.string(dialect.name .. ".tpdu", "TPDU"),
	header = ProtoField.string(dialect.name .. ".header", "Header"),
	mti = ProtoField.string(dialect.name .. ".mti", "Message type"),
	bitmap = ProtoField.string(dialect.name .. ".bitmap", "Bitmap"),
	tag = ProtoField.string(dialect.name .. ".tag", "Tag"),
}
local list = { about.tpdu, about.header, about.mti, about.bitmap, about.tag }
for number, field in pairs(dialect.fields) do
	field.proto = ProtoField.string(dialect.name .. ".f" .. number, number .. " " .. field.name)
	table.insert(list, field.proto)
end
proto.fields = list

local broken = ProtoExpert.new(dialect.name .. ".broken", "The message stops making sense", expert.group.MALFORMED, expert.severity.ERROR)
proto.experts = { broken }

proto.prefs.port = Pref.uint("TCP port", dialect.port, "Connections to this port speak the dialect; 0 for none")
proto.prefs.unmasked = Pref.bool("Show card data", false, "Card numbers, tracks and PIN blocks in clear: for test data only")

local lengths = {
	binary2 = { size = 2, read = function(r) return r:uint() + 2 end },
	binary2self = { size = 2, read = function(r) return r:uint() end },
	binary4 = { size = 4, read = function(r) return r:uint() + 4 end },
	bcd2 = { size = 2, read = function(r) return (tonumber(r:bytes():tohex()) or 0) + 2 end },
	visa = { size = 4, read = function(r) return r(0, 2):uint() + 4 end },
	ascii4self = { size = 4, read = function(r) return tonumber(r:string()) or 0 end },
	ascii4 = { size = 4, read = function(r) return (tonumber(r:string()) or 0) + 4 end },
}
local length = lengths[dialect.length]

-- The characters of a value, or nil where it is not written as its encoding wants.
local function nibbles(range) return range:bytes():tohex() end
local function ebcdic(range) return range:string(ENC_EBCDIC) end
local text = {
	bytes = function(range) return nibbles(range) end,
	composite = function(range) return nibbles(range) end,
	hex_packed = function(range) return nibbles(range) end,
	ascii = function(range) return range:string() end,
	digits = function(range) return range:string():match("^%d*$") end,
	hex = function(range) return range:string():match("^%x*$") end,
	ebcdic = ebcdic,
	ebcdic1047 = ebcdic,
	bcd = function(range, n)
		local s = nibbles(range):match("^%d*$")
		return s and s:sub(#s - n + 1)
	end,
	left_bcd = function(range, n)
		local s = nibbles(range):match("^%d*$")
		return s and s:sub(1, n)
	end,
	filled_bcd = function(range, n) return nibbles(range):sub(1, n):match("^%d*$") end,
	track = function(range, n) return (nibbles(range):sub(1, n):gsub("D", "=")) end,
	bcd_track = function(range, n) return (nibbles(range):sub(-n):gsub("D", "=")) end,
}

local function bytes_of(enc, n)
	if enc == "bcd" or enc == "left_bcd" or enc == "filled_bcd" or enc == "track" or enc == "bcd_track" then return math.floor((n + 1) / 2) end
	if enc == "hex" then return 2 * n end
	return n
end

local prefixes = {
	ascii = function(range) return tonumber(range:string():match("^%d+$")) end,
	ebcdic = function(range) return tonumber(ebcdic(range):match("^%d+$")) end,
	bcd = function(range) return tonumber(nibbles(range):match("^%d+$")) end,
	binary = function(range) return range:uint() end,
}

-- What may be seen of a value.
local function masked(field, s, n)
	if proto.prefs.unmasked or not field.mark or field.mark == "mac" then return s end
	if field.mark == "pan" then
		if #s < 13 then return string.rep("*", #s) end
		return s:sub(1, 6) .. string.rep("*", #s - 10) .. s:sub(-4)
	end
	return "(" .. field.mark .. ", length " .. n .. ")"
end

-- The tags of chip data that show no card; of others the length is shown.
local hidden = { ["56"] = true, ["57"] = true, ["5A"] = true, ["5F20"] = true, ["9F0B"] = true, ["9F1F"] = true, ["9F20"] = true, ["9F6B"] = true, ["99"] = true }

local function tags(range, tree, depth)
	local at, size = 0, range:len()
	while at < size do
		local start = at
		if range(at, 1):uint() == 0 then
			at = at + 1
		else
			local first = range(at, 1):uint()
			at = at + 1
			if first % 32 == 31 then
				repeat
					if at >= size or at - start > 3 then return false end
					at = at + 1
				until range(at - 1, 1):uint() < 128
			end
			local name = nibbles(range(start, at - start))
			if at >= size then return false end
			local n = range(at, 1):uint()
			at = at + 1
			if n > 128 and n < 132 then
				local more = n - 128
				if at + more > size then return false end
				n = range(at, more):uint()
				at = at + more
			elseif n >= 128 then
				return false
			end
			if at + n > size then return false end
			local constructed = math.floor(first / 32) % 2 == 1
			local shown = "(length " .. n .. ")"
			if n > 0 and not constructed and (proto.prefs.unmasked or n <= 32 and not hidden[name] and not name:match("^DF")) then
				shown = nibbles(range(at, n))
			end
			local item = tree:add(about.tag, range(start, at + n - start), name .. " " .. shown)
			if constructed and n > 0 and depth < 8 and not tags(range(at, n), item, depth + 1) then return false end
			at = at + n
		end
	end
	return true
end

-- The fields whose bits are set, and where the bitmaps end.
local function read_bitmaps(tvb, at)
	local present, count = {}, 1
	local size = dialect.bitmap == "binary" and 8 or 16
	local start, all, i = at, "", 0
	while i < count do
		if at + size > tvb:len() then return nil, at, "bitmap: the message ends in it" end
		local range = tvb(at, size)
		local hex = dialect.bitmap == "binary" and nibbles(range) or dialect.bitmap == "ascii" and range:string() or ebcdic(range)
		if not hex:match("^%x+$") then return nil, at, "bitmap: hexadecimal characters expected" end
		for k = 1, 16 do
			local nibble = tonumber(hex:sub(k, k), 16)
			for bit = 3, 0, -1 do
				if math.floor(nibble / 2 ^ bit) % 2 == 1 then
					local number = i * 64 + (k - 1) * 4 + (4 - bit)
					if number == 1 then count = 2
					elseif number == 65 then return nil, at, "a third bitmap is announced"
					else table.insert(present, number) end
				end
			end
		end
		all, at, i = all .. hex:upper(), at + size, i + 1
	end
	return present, at, nil, all, start
end

-- One field: where it ends, or nil, the place and what was expected.
local function read_field(tvb, at, number, tree)
	local field = dialect.fields[number]
	if not field then return nil, at, "field " .. number .. ": its bit is set, the dialect has no such field" end
	local from, n = at, field.max
	if field.width > 0 then
		if at + field.width > tvb:len() then return nil, at, "field " .. number .. ": the message ends in its length" end
		n = prefixes[field.prefix](tvb(at, field.width))
		if not n then return nil, at, "field " .. number .. ": a length in digits expected" end
		if n > field.max then return nil, at, "field " .. number .. ": the length says " .. n .. ", at most " .. field.max .. " can be" end
		at = at + field.width
	end
	local size = bytes_of(field.enc, n)
	if at + size > tvb:len() then return nil, at, "field " .. number .. ": " .. size .. " bytes expected, the message has " .. (tvb:len() - at) .. " left" end
	local s = ""
	if size > 0 then
		s = text[field.enc](tvb(at, size), n)
		if not s then return nil, at, "field " .. number .. ": digits expected, something else is there" end
	end
	local item = tree:add(field.proto, tvb(from, at + size - from), masked(field, s, n))
	if field.mark == "icc" and size > 0 and not tags(tvb(at, size), item, 1) then
		item:add_proto_expert_info(broken, "field " .. number .. " is no TLV")
	end
	return at + size, nil, nil, s
end

local classes = { "authorization", "financial", "file action", "reversal", "reconciliation", "administrative", "fee collection", "network management" }
local functions = { [0] = "request", "response", "advice", "advice response", "notification", "notification acknowledgement" }

local function means(mti)
	local class, fn = classes[tonumber(mti:sub(2, 2))], functions[tonumber(mti:sub(3, 3))]
	return class and fn and (class .. " " .. fn) or "message"
end

local function dissect_message(tvb, pinfo, root)
	local tree = root:add(proto, tvb(), dialect.title)
	local at = length.size
	local function stop(where, why)
		tree:add_proto_expert_info(broken, "byte " .. where .. ": " .. why)
		pinfo.cols.info:append(" [broken at byte " .. where .. "]")
		return tvb:len()
	end
	pinfo.cols.protocol = dialect.name
	for _, part in ipairs({ "tpdu", "header" }) do
		local size = dialect[part]
		if size > 0 then
			if at + size > tvb:len() then return stop(at, "the message ends in its " .. part) end
			tree:add(about[part], tvb(at, size), nibbles(tvb(at, size)))
			at = at + size
		end
	end
	local size = dialect.mti == "bcd" and 2 or 4
	if at + size > tvb:len() then return stop(at, "the message ends in its type") end
	local range = tvb(at, size)
	local mti = dialect.mti == "bcd" and nibbles(range) or dialect.mti == "ascii" and range:string() or ebcdic(range)
	if not mti:match("^%d%d%d%d$") then return stop(at, "message type: four digits expected") end
	tree:add(about.mti, range, mti):append_text(" " .. means(mti))
	pinfo.cols.info = mti .. " " .. means(mti)
	local present, next_at, why, bitmap, start = read_bitmaps(tvb, at + size)
	if not present then return stop(next_at, why) end
	tree:add(about.bitmap, tvb(start, next_at - start), bitmap)
	at = next_at
	for _, number in ipairs(present) do
		local to, where, reason, s = read_field(tvb, at, number, tree)
		if not to then return stop(where, reason) end
		if number == 11 or number == 39 then pinfo.cols.info:append((number == 11 and " trace " or " answer ") .. s) end
		at = to
	end
	if at ~= tvb:len() then return stop(at, "the last field of the bitmap ends here, " .. (tvb:len() - at) .. " bytes follow") end
	return tvb:len()
end

function proto.dissector(tvb, pinfo, root)
	local function size(buffer, _, offset) return math.max(length.read(buffer(offset, length.size)), length.size + 1) end
	dissect_tcp_pdus(tvb, root, length.size, size, dissect_message)
	return tvb:len()
end

local ports = DissectorTable.get("tcp.port")
local registered = 0
function proto.init()
	if registered ~= proto.prefs.port then
		if registered > 0 then ports:remove(registered, proto) end
		registered = proto.prefs.port
		if registered > 0 then ports:add(registered, proto) end
	end
end
ports:add_for_decode_as(proto)
