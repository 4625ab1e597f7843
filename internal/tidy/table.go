// SPDX-License-Identifier: Apache-2.0

package tidy

import "slices"

// Row says what the packages that match a pattern may import of this module.
// A pattern is a folder, or a folder and all below it when it ends in "/...".
// A package may always import itself (its external tests do).
type Row struct {
	Packages string
	May      []string
	Tests    []string // what its tests may import besides
}

// The tiers of the design, lowest first. A package imports downwards only.
func tier0() []string { return []string{"internal/..."} }

func tier1() []string {
	return slices.Concat(tier0(), []string{
		"iso8583/...", "hsm",
		"hsm/pinblock", "hsm/pinoffset", "hsm/cvv", "hsm/emvkey", "hsm/mac", "hsm/dukpt", "hsm/keyblock", "hsm/oda",
	})
}

// nouns are what every room of the switch may speak of: the payment, its
// record, its numbers and the journal's contract.
func nouns() []string {
	return slices.Concat(tier1(), []string{"switch/txn", "switch/record", "switch/number", "switch/journal"})
}

// rooms are the parts that flow reaches through its ports and that node wires.
func rooms() []string {
	return slices.Concat(nouns(), []string{
		"hsm/keystore",
		"switch/translate", "switch/route", "switch/pin", "switch/chip", "switch/fleet", "switch/risk",
		"switch/offer", "switch/ledger", "switch/settle", "switch/link", "switch/listen",
	})
}

// drivers are what tests of the switch use in place of a module or a disk.
func drivers() []string {
	return []string{"hsm/soft", "hsm/hsmtest", "hsm/keystore", "switch/journal/..."}
}

func anything() []string { return []string{"..."} }

// Table is the import table, first match first. A package without a row is a
// finding: a new room gets its place in the house before its first line.
func Table() []Row {
	return slices.Concat(tableLeaves(), tableHSM(), tableTerminal(), tableSwitch(), tableRest())
}

// tableLeaves: internal packages and the codec know nothing above them.
func tableLeaves() []Row {
	return []Row{
		{Packages: "internal/env/fake", May: tier0()},
		{Packages: "internal/batch", May: tier0(), Tests: tier0()},
		{Packages: "internal/...", Tests: tier0()}, // standard library only
		{Packages: "iso8583/dialect/...", May: slices.Concat(tier0(), []string{"iso8583/..."})},
		{Packages: "iso8583/...", May: slices.Concat(tier0(), []string{"iso8583/..."})},
	}
}

// tableHSM: hsm/clear is the only code that touches clear PIN or key bytes, so
// its importers are these and no others.
func tableHSM() []Row {
	return []Row{
		{Packages: "hsm/clear", May: tier1()},
		{Packages: "hsm/soft", May: slices.Concat(tier1(), []string{"hsm/clear", "hsm/keystore"}), Tests: slices.Concat(drivers(), []string{"simulators/card"})}, // a card of other hands
		{Packages: "hsm/pkcs11", May: slices.Concat(tier1(), []string{"hsm/clear", "hsm/keystore"}), Tests: append(drivers(), "simulators/p11chaos")},
		{Packages: "hsm/ceremony", May: slices.Concat(tier1(), []string{"hsm/clear", "hsm/keystore"}), Tests: drivers()},
		{Packages: "hsm/keystore", May: tier1(), Tests: drivers()},
		{Packages: "hsm/kat", May: tier1(), Tests: drivers()},
		// Offline data authentication meets the card that signs it, in its tests.
		{Packages: "hsm/oda", May: tier1(), Tests: []string{"simulators/card"}},
		{Packages: "hsm/hsmtest", May: slices.Concat(tier1(), []string{"hsm/keystore"}), Tests: drivers()},
		{Packages: "hsm/...", May: tier1(), Tests: drivers()}, // the root and its pure packages
	}
}

// tableTerminal: the POS program shares the codec and the ciphers with the
// switch and nothing else.
func tableTerminal() []Row {
	pos := slices.Concat(tier1(), []string{"hsm/soft", "hsm/keystore", "terminal/..."})
	return []Row{
		{Packages: "terminal/pn532", May: tier0()},
		{Packages: "terminal/serial", May: tier0()},
		// The kernels are pure machines; run.go plays one of them on a card.
		{Packages: "terminal/kernel", May: slices.Concat(tier0(), []string{"iso8583/bertlv", "hsm/oda", "terminal/reader"}), Tests: []string{"simulators/card", "simulators/reader"}},
		{Packages: "terminal/...", May: pos, Tests: []string{"simulators/card", "simulators/reader"}},
	}
}

// tableSwitch: only node knows everything. Nothing but node imports flow, so
// that no driver can come to depend on the order in which it is called. The
// rooms see keys and interfaces (hsm), never a driver (hsm/pkcs11, hsm/soft).
func tableSwitch() []Row {
	return []Row{
		{Packages: "switch/txn", May: tier1()},
		{Packages: "switch/record", May: slices.Concat(tier1(), []string{"switch/txn", "switch/journal"})},
		{Packages: "switch/number", May: nouns(), Tests: drivers()},
		{Packages: "switch/journal"}, // a contract: it imports nothing
		{Packages: "switch/journal/...", May: slices.Concat(tier0(), []string{"switch/journal", "switch/journal/journaltest"}), Tests: drivers()},

		// link and listen know nothing of payments: they take a handler.
		{Packages: "switch/link", May: tier1(), Tests: drivers()},
		{Packages: "switch/listen", May: tier1(), Tests: drivers()},

		// replay is the index over the journal: what changes a payment goes through it.
		{Packages: "switch/recover", May: slices.Concat(rooms(), []string{"switch/saf", "switch/replay"}), Tests: slices.Concat(drivers(), []string{"switch/flow", "switch/window", "switch/standin"})},
		// retain folds the journal by the meaning of its records, and compacts it.
		{Packages: "switch/retain", May: slices.Concat(nouns(), []string{"switch/window"}), Tests: slices.Concat(drivers(), []string{"switch/replay", "switch/pin"})},
		{Packages: "switch/saf", May: slices.Concat(rooms(), []string{"switch/replay"}), Tests: drivers()},
		{Packages: "switch/replay", May: rooms(), Tests: drivers()},
		{Packages: "switch/settle", May: nouns(), Tests: append(drivers(), "switch/replay")},
		{Packages: "switch/history", May: rooms(), Tests: slices.Concat(drivers(), []string{"switch/replay"})},
		{Packages: "switch/flow", May: slices.Concat(rooms(), []string{"switch/replay"}), Tests: slices.Concat(drivers(), []string{"switch/saf", "switch/recover", "switch/window", "switch/standin"})},

		{Packages: "switch/config", May: rooms()},
		{Packages: "switch/observe", May: rooms()},
		{Packages: "switch/admin", May: rooms()},
		{Packages: "switch/node", May: []string{"internal/...", "switch/...", "hsm/...", "iso8583/..."}, Tests: anything()},

		// chip says no in the same words as pin when the module does.
		{Packages: "switch/chip", May: slices.Concat(nouns(), []string{"switch/pin", "switch/window"}), Tests: drivers()},

		// translate, route, pin, fleet and the rooms still to come.
		{Packages: "switch/...", May: slices.Concat(nouns(), []string{"hsm/keystore"}), Tests: drivers()},
	}
}

// tableRest: the other side of every conversation is written a second time, so
// that two implementations have to agree; only the world may hold both.
func tableRest() []Row {
	return []Row{
		{Packages: "simulators/card", May: tier0()},
		{Packages: "simulators/reader", May: slices.Concat(tier0(), []string{"simulators/card"})},
		{Packages: "simulators/acquirer", May: tier0()},
		{Packages: "simulators/p11chaos", May: tier0()},
		{Packages: "simulators/world/...", May: []string{"internal/...", "switch/...", "hsm/...", "iso8583/...", "terminal/...", "simulators/..."}},
		{Packages: "simulators/...", May: slices.Concat(tier1(), []string{"hsm/soft", "terminal/...", "simulators/..."})},
		{Packages: "cmd/...", May: anything()},
	}
}

// Foreign says which packages may import a module of others; Tests may besides.
type Foreign struct {
	Module string
	By     []string
	Tests  []string
}

// ForeignTable is the list of modules of others that the tree uses. What is not
// listed may not be imported.
func ForeignTable() []Foreign {
	return []Foreign{
		{Module: "github.com/moov-io/iso8583", By: []string{"iso8583/...", "simulators/..."}, Tests: []string{"switch/...", "terminal/...", "cmd/..."}},
		{Module: "github.com/gopacket/gopacket", By: []string{"iso8583/capture/..."}},
		{Module: "github.com/emmansun/gmsm", By: []string{"hsm/soft", "hsm/hsmtest"}},
		{Module: "github.com/miekg/pkcs11", By: []string{"hsm/pkcs11", "cmd/..."}, Tests: []string{"hsm/...", "simulators/p11chaos"}},
		{Module: "go.bug.st/serial", By: []string{"terminal/serial"}},
		{Module: "github.com/jackc/pgx/v5", By: []string{"switch/journal/postgres", "switch/history"}, Tests: []string{"cmd/..."}},
		{Module: "github.com/pressly/goose/v3", By: []string{"switch/journal/postgres"}},
		{Module: "github.com/creack/pty", By: []string{"simulators/...", "terminal/serial", "cmd/..."}, Tests: []string{"terminal/..."}},
		{Module: "github.com/prometheus/client_golang", By: []string{"switch/observe"}, Tests: []string{"cmd/..."}},
		{Module: "github.com/prometheus/common", By: []string{"switch/observe", "cmd/..."}},
		{Module: "github.com/cockroachdb/pebble/v2", Tests: []string{"switch/journal/segment/peers"}},
		{Module: "modernc.org/sqlite", By: []string{"switch/history"}},
		{Module: "github.com/spf13/cobra", By: []string{"cmd/..."}},
		{Module: "go.yaml.in/yaml/v3", By: []string{"switch/config", "terminal/...", "simulators/...", "cmd/..."}},
		{Module: "golang.org/x/sys", By: []string{"internal/env", "hsm/clear", "hsm/pkcs11", "terminal/...", "simulators/...", "cmd/..."}},
		{Module: "golang.org/x/text", By: []string{"iso8583/...", "terminal/...", "cmd/..."}},
		{Module: "pgregory.net/rapid", Tests: anything()},
		// cgo is kept to the package that must speak C.
		{Module: "C", By: []string{"hsm/pkcs11"}},
	}
}
