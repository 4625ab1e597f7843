# SPDX-License-Identifier: Apache-2.0
#
# Makes the table of "make bench-journal" out of what go test prints: of all runs
# of each benchmark the most appends a second and the least processor time.

function value(unit,    i) {
	for (i = 3; i < NF; i++)
		if ($(i + 1) == unit)
			return $i + 0
	return 0
}

/^BenchmarkAppend/ {
	split($1, part, "/")
	callers = part[2]; sub(/^callers=/, "", callers)
	store = part[3]; sub(/^store=/, "", store); sub(/-[0-9]+$/, "", store)
	if (!(callers in seen)) { seen[callers] = 1; row[++rows] = callers }
	if (!(store in known)) { known[store] = 1; column[++columns] = store }
	key = callers " " store
	rate = value("records/s"); cpu = value("cpu-ns/record")
	if (rate > most[key]) { most[key] = rate; shared[key] = value("records/commit") }
	if (!(key in least) || cpu < least[key]) least[key] = cpu
}

/^BenchmarkRecovery/ {
	time = value("s/million"); split($1, part, "/")
	sub(/^records=/, "", part[2]); sub(/-[0-9]+$/, "", part[2])
	if (!(part[2] in fastest) || time < fastest[part[2]]) {
		if (!(part[2] in fastest)) size[++sizes] = part[2]
		fastest[part[2]] = time; verify[part[2]] = value("open-s/million")
	}
}

/^BenchmarkPurchase/ {
	split($1, part, "/")
	sub(/^disk=/, "", part[2]); sub(/-[0-9]+$/, "", part[2])
	rate = value("purchases/s")
	if (rate > purchases[part[2]]) purchases[part[2]] = rate
}

/^cpu:/ && !cpus++ { print }
/FAIL|panic/ { print; failed = 1 }

function heading(what,    c) {
	printf "\n%-24s", what
	for (c = 1; c <= columns; c++)
		printf " %11s", column[c]
}

END {
	heading("appends a second")
	print ""
	for (r = 1; r <= rows; r++) {
		printf "%6d callers          ", row[r]
		for (c = 1; c <= columns; c++)
			printf " %11d", most[row[r] " " column[c]]
		print ""
	}
	heading("processor ns an append")
	print "  segment / bare"
	for (r = 1; r <= rows; r++) {
		printf "%6d callers          ", row[r]
		for (c = 1; c <= columns; c++)
			printf " %11d", least[row[r] " " column[c]]
		bare = least[row[r] " bare"]
		printf "  %s\n", bare ? sprintf("%.2f", least[row[r] " segment"] / bare) : "-"
	}
	heading("records a commit")
	print ""
	for (r = 1; r <= rows; r++) {
		printf "%6d callers          ", row[r]
		for (c = 1; c <= columns; c++)
			printf " %11.1f", shared[row[r] " " column[c]]
		print ""
	}
	print "\nrecovery                 seconds, per million records, of which verifying"
	for (r = 1; r <= sizes; r++)
		printf "%9d records        %8.2f %20.2f %18.2f\n", size[r], fastest[size[r]] * size[r] / 1e6, fastest[size[r]], verify[size[r]]
	durable = purchases["durable"]; not = purchases["not"]
	printf "\npurchases a second of 64 terminals   durable %d, on a disk that syncs nothing %d, ratio %s\n", durable, not, not ? sprintf("%.2f", durable / not) : "-"
	exit failed || !durable || !not || rows == 0 || sizes == 0
}
