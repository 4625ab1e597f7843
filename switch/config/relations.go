// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"tapswitch/internal/env"
)

// relate compares values with each other. One rule is one line or one helper;
// a value that already has a mistake of its own is left alone.
func (d *decoder) relate(c *Config) {
	d.shorter("hsm.timeout_ms", c.HSM.Timeout, "payment.deadline_ms", c.Payment.Deadline, "a module that hangs must be noticed while the payment can still be refused")
	d.shorter("payment.deadline_ms", c.Payment.Deadline, "payment.replay_window_ms", c.Payment.ReplayWindow, "a repeat must find the answer of its first message")
	d.atMost("payment.deadline_ms", c.Payment.Deadline, "node.drain_ms", c.Node.Drain, "payments in flight at stop must be able to finish")
	d.atMost("reversal.retry_ms", c.Reversal.Retry, "reversal.max_retry_ms", c.Reversal.MaxRetry, "pauses grow from the first to the longest")
	if d.sound("journal.segment_bytes", "journal.max_bytes") && c.Journal.MaxBytes < 2*c.Journal.SegmentBytes {
		d.contradiction("journal.max_bytes", "journal.max_bytes must hold two segments", "while one segment is full the next must be there", fmt.Sprintf("set %d or more", 2*c.Journal.SegmentBytes))
	}
	if kept := time.Duration(c.Journal.Retention) * 24 * time.Hour; kept > 0 && d.sound("journal.retention_days", "payment.replay_window_ms") && kept < c.Payment.ReplayWindow {
		d.contradiction("journal.retention_days", fmt.Sprintf("journal.retention_days (%d) is shorter than payment.replay_window_ms (%d)", c.Journal.Retention, c.Payment.ReplayWindow.Milliseconds()),
			"a repeat must find the answer of its first message after a restart, too", "keep payments at least as long as their answers")
	}
	d.history(c.History)
	if n := len(c.Admin.Socket); n > env.PathMax && d.sound("admin.socket") {
		d.contradiction("admin.socket", fmt.Sprintf("the path of admin.socket has %d bytes", n), fmt.Sprintf("a socket's path has at most %d", env.PathMax), "name a shorter one by its whole path, or none by `socket: \"\"`")
	}
	for i, l := range c.Listeners {
		at := fmt.Sprintf("listeners[%d]", i)
		d.atMost(at+".message_ms", l.Message, at+".idle_ms", l.Idle, "a message under way must not count as silence")
		d.shorter("payment.deadline_ms", c.Payment.Deadline, at+".idle_ms", l.Idle, "a terminal that waits for its answer must not be cut off")
		if d.sound(at+".private_line") && !l.PrivateLine {
			d.problem(Problem{Code: Unsafe, Message: fmt.Sprintf("listener %q is plain TCP without private_line", l.Name), Why: "this version has no TLS for terminals, and plain TCP is only for a line that nobody else can reach",
				Fix: "put `private_line: true` if that is so"}, at+".private_line", d.at[at+".private_line"])
		}
	}
	for i, l := range c.Links {
		at := fmt.Sprintf("links[%d]", i)
		if d.sound(at+".dialect", at+".destination") && (l.Dialect == "unionpayinterchange") != (l.Destination != "") {
			d.contradiction(at+".destination", fmt.Sprintf("link %q: destination and dialect do not fit", l.Name), "the header of unionpayinterchange names the other side, other dialects have none",
				"set destination with unionpayinterchange, and only there")
		}
		if d.sound(at+".saf_window", at+".max_in_flight") && l.SAFWindow > l.MaxInFlight {
			d.contradiction(at+".saf_window", fmt.Sprintf("link %q: saf_window (%d) is more than max_in_flight (%d)", l.Name, l.SAFWindow, l.MaxInFlight),
				"reversals would take every place and be refused by the link itself", "set saf_window to a small part of max_in_flight")
		}
		d.shorter(at+".timeout_ms", l.Timeout, "payment.deadline_ms", c.Payment.Deadline, "the terminal would give up first and reverse every slow answer")
	}
	d.names(c)
	d.members(c)
	d.counters(c)
	d.standIn(c)
	d.offline(c)
	d.dialects(c)
	d.bins(c)
	d.production(c)
}

// sound tells that none of the values has a mistake of its own.
func (d *decoder) sound(paths ...string) bool {
	for _, p := range paths {
		for q := p; q != ""; q = parent(q) {
			if d.bad[q] {
				return false
			}
		}
	}
	return true
}

// parent is the section of a path, "" at the top.
func parent(path string) string {
	return path[:max(strings.LastIndexAny(path, ".["), 0)]
}

func (d *decoder) contradiction(path, message, why, fix string) {
	d.problem(Problem{Code: Contradicts, Message: message, Why: why, Fix: fix}, path, d.at[path])
}

func (d *decoder) shorter(a string, av time.Duration, b string, bv time.Duration, why string) {
	if d.sound(a, b) && av >= bv {
		d.compare(a, av, b, bv, "be shorter than", "below", why)
	}
}

func (d *decoder) atMost(a string, av time.Duration, b string, bv time.Duration, why string) {
	if d.sound(a, b) && av > bv {
		d.compare(a, av, b, bv, "not be longer than", "at most", why)
	}
}

func (d *decoder) compare(a string, av time.Duration, b string, bv time.Duration, relation, limit, why string) {
	where := d.at[b]
	d.contradiction(a, fmt.Sprintf("%s (%d) must %s %s (%d, line %d)", a, av.Milliseconds(), relation, b, bv.Milliseconds(), where.line), why,
		fmt.Sprintf("set %s %s %d, or raise %s", a, limit, bv.Milliseconds(), b))
}

// names looks for entries that share a name or an address.
func (d *decoder) names(c *Config) {
	seen := map[string]string{}
	unique := func(kind, value, path string) {
		if value == "" || !d.sound(path) {
			return
		}
		if first, twice := seen[kind+" "+value]; twice {
			d.problem(Problem{Code: NotUnique, Message: fmt.Sprintf("%s %q is used twice", kind, value), Why: fmt.Sprintf("line %d has it already", d.at[first].line), Fix: "change one of the two"}, path, d.at[path])
			return
		}
		seen[kind+" "+value] = path
	}
	for i, l := range c.Listeners {
		unique("listener name", l.Name, fmt.Sprintf("listeners[%d].name", i))
		unique("listening address", l.Address, fmt.Sprintf("listeners[%d].address", i))
	}
	unique("listening address", c.Observe.Address, "observe.address")
	for i, l := range c.Links {
		unique("link name", l.Name, fmt.Sprintf("links[%d].name", i))
	}
	for i, m := range c.StandIn.Mandates {
		unique("mandate", m.Name, fmt.Sprintf("stand_in.mandates[%d].name", i))
	}
	for i, s := range c.Issuers {
		unique("issuer name", s.Name, fmt.Sprintf("issuers[%d].name", i))
	}
	for i, l := range c.ISO.Dialects {
		unique("dialect", l.Name, fmt.Sprintf("iso.dialects[%d].name", i))
	}
	for i, t := range c.Terminals {
		unique("terminal", t.ID, fmt.Sprintf("terminals[%d].id", i))
	}
	for i, b := range c.BINs {
		unique("range", b.Low+"-"+b.High, fmt.Sprintf("bins[%d].low", i))
	}
}

// members refuses a failover group with a token twice: it would be lost twice at once.
func (d *decoder) members(c *Config) {
	first := map[HSMMember]string{{Module: c.HSM.Module, Token: c.HSM.Token}: "hsm.token"}
	for i, m := range c.HSM.Members {
		at := fmt.Sprintf("hsm.members[%d]", i)
		if !d.sound("hsm.module", "hsm.token", at+".module", at+".token") {
			continue
		}
		which := HSMMember{Module: m.Module, Token: m.Token}
		if was, twice := first[which]; twice {
			d.problem(Problem{Code: NotUnique, Message: fmt.Sprintf("token %q of this module is in the failover group twice", m.Token), Why: fmt.Sprintf("line %d has it already", d.at[was].line), Fix: "name another token, or remove this one"},
				at+".token", d.at[at+".token"])
			continue
		}
		first[which] = at + ".token"
	}
}

// bins checks each range by itself and what it refers to; whether ranges
// overlap is for the BIN table (switch/route) to say.
func (d *decoder) bins(c *Config) {
	var links, issuers []string
	for _, l := range c.Links {
		links = append(links, l.Name)
	}
	for _, s := range c.Issuers {
		issuers = append(issuers, s.Name)
	}
	for i, b := range c.BINs {
		at := fmt.Sprintf("bins[%d]", i)
		low, high := at+".low", at+".high"
		if d.sound(low, high) && (len(b.Low) != len(b.High) || b.Low > b.High) {
			d.contradiction(high, fmt.Sprintf("range %s-%s is not a range", b.Low, b.High), "low and high need the same number of digits, and low comes first", "correct one of the two")
		}
		for j, name := range b.Links {
			d.refers("link", name, links, fmt.Sprintf("%s.links[%d]", at, j))
		}
		if b.Issuer != "" {
			d.refers("issuer", b.Issuer, issuers, at+".issuer")
		}
	}
}

func (d *decoder) refers(kind, name string, names []string, path string) {
	if !d.sound(path) || contains(names, name) {
		return
	}
	fix := fmt.Sprintf("add it under %ss", kind)
	if meant := nearest(name, names); meant != "" {
		fix = fmt.Sprintf("did you mean %q?", meant)
	}
	d.problem(Problem{Code: NoSuchName, Message: fmt.Sprintf("there is no %s %q", kind, name), Why: "a range can only be sent where something is", Fix: fix}, path, d.at[path])
}

// counters refuses half a window.
func (d *decoder) counters(c *Config) {
	for i, s := range c.Issuers {
		at := fmt.Sprintf("issuers[%d]", i)
		if d.sound(at+".atc_ahead", at+".atc_behind") && s.ATCAhead == 0 && s.ATCBehind > 0 {
			d.contradiction(at+".atc_behind", fmt.Sprintf("issuer %q: atc_behind without atc_ahead", s.Name), "with atc_ahead 0 transaction counters are not looked at", "set atc_ahead too, or leave both out")
		}
	}
}

// production refuses what is only good for tests.
func (d *decoder) production(c *Config) {
	if c.Environment != "production" || !d.sound("environment", "hsm") {
		return
	}
	modules := map[string]string{"hsm.module": c.HSM.Module}
	for i, m := range c.HSM.Members {
		modules[fmt.Sprintf("hsm.members[%d].module", i)] = m.Module
	}
	for at, module := range modules { // problems are sorted by their place
		if d.sound(at) && (at == "hsm.module" && c.HSM.SoftHSMConf != "" || strings.Contains(filepath.Base(module), "softhsm")) {
			d.problem(Problem{Code: Unsafe, Message: "production on SoftHSM", Why: "its keys lie in files of this machine", Fix: "name the library of a hardware module and remove softhsm_conf"}, at, d.at[at])
		}
	}
	if !c.HSM.AcceptPINInHostMemory {
		d.problem(Problem{Code: Unsafe, Message: "production without accept_pin_in_host_memory", Why: "plain PKCS#11 has no PIN functions: a PIN is clear in locked host memory for microseconds",
			Fix: "use a module with PIN functions when it is supported, or accept the risk by `accept_pin_in_host_memory: true`"}, "hsm.accept_pin_in_host_memory", d.at["hsm"])
	}
}

// history holds the history's place against its store.
func (d *decoder) history(h History) {
	if !d.sound("history.store", "history.path", "history.url") {
		return
	}
	switch inDatabase := h.Store == "postgres"; {
	case inDatabase && h.Path != "":
		d.contradiction("history.path", "history.path with store postgres", "there is no file then", "remove path, or write `store: sqlite`")
	case inDatabase && !h.InDatabase():
		d.contradiction("history.store", "history.store postgres without history.url", "it would be searched and not be there", "set url, or write `store: sqlite`")
	case !inDatabase && h.InDatabase():
		d.contradiction("history.url", "history.url without store postgres", "nothing would be written there", "write `store: postgres`, or remove url")
	}
}
