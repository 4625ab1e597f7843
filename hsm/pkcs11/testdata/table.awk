# SPDX-License-Identifier: Apache-2.0
#
# Makes the table of "make bench-hsm" out of what go test prints: the least of
# all runs of each benchmark, wall time and processor time, side by side.

function value(unit,    i) {
	for (i = 3; i < NF; i++)
		if ($(i + 1) == unit)
			return $i + 0
	return 0
}

function least(table, key, v) {
	if (!((key) in table) || v < table[key])
		table[key] = v
}

function ratio(a, b) { return b ? sprintf("%.2f", a / b) : "-" }

/^Benchmark/ {
	n = split($1, part, "/")
	sub(/-[0-9]+$/, "", part[n])
	sub(/^function=/, "", part[2])
	sub(/^[a-z]+=/, "", part[3])
	key = part[2] " " part[3]
	kind = substr(part[1], 10)
	if (!((kind, key) in seen)) {
		seen[kind, key] = 1
		if (kind != "Alone")
			row[kind, ++rows[kind]] = key
		else if (!(part[2] in known)) {
			known[part[2]] = 1
			row[kind, ++rows[kind]] = part[2]
		}
	}
	least(wall, kind " " key, value("ns/op"))
	least(cpu, kind " " key, value("cpu-ns/op"))
	calls[kind, key] = value("calls/op")
	if (value("of-bound") > share[kind, key])
		share[kind, key] = value("of-bound")
}

/^cpu:/ && !cpus++ { print }
/FAIL|panic/ { print; failed = 1 }

END {
	print "\none caller              wall: driver   miekg       C   processor: driver   miekg       C   miekg/driver  C/driver (wall)"
	for (i = 1; i <= rows["Alone"]; i++) {
		f = row["Alone", i]; d = "Alone " f " driver"; m = "Alone " f " miekg"; c = "Alone " f " c"
		if (!(d in wall)) {
			printf "%-22s %11s    %7s %7d %16s    %7s %7d\n", f, "", "", wall[c], "", "", cpu[c]
			continue
		}
		printf "%-22s %11d ns %7d %7d %16d ns %7d %7d %13s %9s\n", f, wall[d], wall[m], wall[c], cpu[d], cpu[m], cpu[c], ratio(wall[m], wall[d]), ratio(wall[c], wall[d])
	}
	print "\n64 callers, sessions    wall: driver       C   processor: driver   times the C loop: wall  processor"
	for (i = 1; i <= rows["Crowd"]; i++) {
		k = row["Crowd", i]; split(k, w, " "); d = "Crowd " k; c = "Alone " w[1] " c"
		printf "%-22s %11d ns %7d %16d ns %24s %10s\n", w[1] ", " w[2], wall[d], wall[c], cpu[d], ratio(wall[c], wall[d]), ratio(cpu[c], cpu[d])
	}
	print "\n64 callers, 8 sessions, 1 ms a call    wall   calls each   of the bound"
	for (i = 1; i <= rows["Slow"]; i++) {
		k = row["Slow", i]; split(k, w, " ")
		printf "%-26s %14d ns %12.2f %14.2f\n", w[1] ", keys " w[2], wall["Slow " k], calls["Slow", k], share["Slow", k]
	}
	exit failed || rows["Alone"] == 0
}
