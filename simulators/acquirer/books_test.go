// SPDX-License-Identifier: Apache-2.0

package acquirer

import (
	"fmt"
	"net"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"
)

// someBooks plays a few messages and returns the entries.
func someBooks(t *testing.T) (*rig, []Entry) {
	r := newRig(t)
	c := r.signedOn()
	c.ask("0200", sale(1, withPIN(r.cfg, "123456"), withChip(r, false), set(35, "6224242300000069=30102010000000000")))
	c.ask("0200", sale(2))
	c.ask("0200", sale(3, set(2, "4444333322221111"), withPIN(r.cfg, "9999")))
	c.ask("0400", reversal(4, 1))
	c.ask("0400", reversal(6, 5))
	c.ask("0200", sale(7, set(2, "6224242300000077")))
	return r, r.host.Books()
}

// TestRestart: a host on the same books has the same entries, balances and tries.
func TestRestart(t *testing.T) {
	r, before := someBooks(t)
	summary := r.host.Summary()
	r.host.Close()
	r.start()
	if got := r.host.Summary(); !reflect.DeepEqual(got, summary) {
		t.Errorf("after:\n%+v\nbefore:\n%+v", got, summary)
	}
	if got := r.host.Books(); len(got) != len(before) || !reflect.DeepEqual(got, before) {
		t.Errorf("%d entries after, %d before", len(got), len(before))
	}
	if _, err := New(r.cfg); err == nil || !strings.Contains(err.Error(), "in use by another host") {
		t.Errorf("two hosts on one file: %v", err)
	}
}

// TestTornTail: whatever prefix of the file a crash left, the host starts, and
// what stands in it is what it had; the torn line is gone.
func TestTornTail(t *testing.T) {
	r, all := someBooks(t)
	r.host.Close()
	file, err := os.ReadFile(r.cfg.Books)
	if err != nil {
		t.Fatal(err)
	}
	opened := len(r.cfg.Accounts)
	for cut := len(file); cut > 0; cut -= 131 {
		if err := os.WriteFile(r.cfg.Books, file[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		h, err := New(r.cfg)
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		whole := strings.Count(string(file[:cut]), "\n")
		if got := h.Books(); len(got) != max(whole, opened) || !reflect.DeepEqual(got[:whole], all[:whole]) {
			t.Errorf("cut at %d: %d entries, want %d", cut, len(got), whole)
		}
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestForeignBooks: what is not ours, or does not add up, is refused by name.
func TestForeignBooks(t *testing.T) {
	r, _ := someBooks(t)
	r.host.Close()
	file, err := os.ReadFile(r.cfg.Books)
	if err != nil {
		t.Fatal(err)
	}
	for want, text := range map[string]string{
		"line 1 is no entry":               "hello\n",
		"line 2 is no entry":               strings.SplitAfter(string(file), "\n")[0] + "{\"seq\":2,\"pin_block\":\"x\"}\n",
		"the balance of alice moved":       strings.Replace(string(file), "998766", "998767", 1),
		"a line is lost or doubled":        strings.Replace(string(file), `"seq":3,`, `"seq":4,`, 1),
		"which the configuration does not": strings.ReplaceAll(string(file), `"bob"`, `"bill"`),
	} {
		if err := os.WriteFile(r.cfg.Books, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := New(r.cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// TestCheckBooksFinds alters one entry at a time; every alteration is found.
func TestCheckBooksFinds(t *testing.T) {
	_, all := someBooks(t)
	for i := range all {
		if err := CheckBooks(all[:i]); err != nil {
			t.Fatalf("sound prefix of %d: %v", i, err)
		}
	}
	at := func(reason string) int {
		for i, e := range all {
			if e.Reason == reason {
				return i
			}
		}
		t.Fatalf("no %s", reason)
		return 0
	}
	debit, credit, wrong := at("approved"), at("reversed"), at("pin_wrong")
	for name, alter := range map[string]func([]Entry) []Entry{
		"balance moved without effect": func(e []Entry) []Entry { e[wrong].BalanceMinor++; return e },
		"effect without a move":        func(e []Entry) []Entry { e[wrong].Effect = EffectDebit; return e },
		"debit and move after a wrong PIN": func(e []Entry) []Entry {
			e[wrong].Effect, e[wrong].Response = EffectDebit, codeApproved
			e[wrong].BalanceMinor -= e[wrong].AmountMinor
			return e
		},
		"other amount":          func(e []Entry) []Entry { e[debit].AmountMinor++; return e },
		"unauthenticated debit": func(e []Entry) []Entry { e[debit].MAC = StateBad; return e },
		"unknown effect":        func(e []Entry) []Entry { e[debit].Effect = "gift"; return e },
		"credit of another":     func(e []Entry) []Entry { e[credit].Original = e[wrong].Key(); return e },
		"never opened":          func(e []Entry) []Entry { e[debit].Account = "zoe"; return e },
		"opened twice":          func(e []Entry) []Entry { e[1].Account = e[0].Account; return e },
		"line lost":             func(e []Entry) []Entry { return append(e[:debit], e[debit+1:]...) },
		"second debit": func(e []Entry) []Entry {
			d := e[debit]
			d.Seq, d.BalanceMinor = uint64(len(e))+1, 1000000-3*1234
			e[debit+1].Account, e[debit+1].Effect = "", EffectNone
			return append(e, d)
		},
		"second credit": func(e []Entry) []Entry {
			c := e[credit]
			c.Seq = uint64(len(e)) + 1
			c.BalanceMinor += c.AmountMinor
			return append(e, c)
		},
	} {
		if CheckBooks(alter(append([]Entry(nil), all...))) == nil {
			t.Errorf("%s: not found", name)
		}
	}
}

// TestNothingClear searches books, events and printed configuration for card data.
func TestNothingClear(t *testing.T) {
	var mu sync.Mutex
	var seen strings.Builder
	r := newRig(t, func(c *Config) {
		c.OnEvent = func(e Event) {
			mu.Lock()
			defer mu.Unlock()
			fmt.Fprintf(&seen, "%+v %+v\n", e, e.Message)
		}
	})
	c := r.signedOn()
	s := sale(1, withPIN(r.cfg, "123456"), withChip(r, false), set(35, "6224242300000069=30102010000000000"))
	block := s[52]
	c.ask("0200", s)
	c.ask("0200", sale(2, set(2, "6224242300000077")))
	c.send([]byte(strings.Repeat("6224242300000069", 4)))
	c.hungUp()
	file, err := os.ReadFile(r.cfg.Books)
	if err != nil {
		t.Fatal(err)
	}
	r.host.Close()
	mu.Lock()
	defer mu.Unlock()
	fmt.Fprintf(&seen, "%s %+v %#v %v %+v", file, r.cfg, r.cfg, r.cfg.Keys, r.cfg.Accounts)
	for _, clear := range []string{"6224242300000069", "6224242300000077", "3010201", "123456\"", "654321", block, fmt.Sprintf("%X", block), "FEDCBA9876543210", "fedcba9876543210",
		"76850752AD7307ADE554D06D3BA73279", "9E15204313F7318A"} {
		if strings.Contains(seen.String(), clear) {
			t.Errorf("%q stands in clear", clear)
		}
	}
	if !strings.Contains(seen.String(), "622424******0069") {
		t.Error("the masked card number is nowhere: does this test look at anything?")
	}
}

// TestManyConnections: pipelined messages over several connections, each
// answered in order and once, and the money adds up.
func TestManyConnections(t *testing.T) {
	r := newRig(t)
	const lines, each = 6, 40
	var all sync.WaitGroup
	for n := range lines {
		c := r.signedOn()
		all.Go(func() {
			for i := range each {
				c.send(c.pack("0200", sale(n*1000+i, set(4, "000000000100"))))
			}
			for i := range each {
				if _, f := c.answer(); f[39] != "00" || f[11] != fmt.Sprintf("%06d", n*1000+i) {
					t.Errorf("line %d: answer %d is %q for %s", n, i, f[39], f[11])
					return
				}
			}
		})
	}
	all.Wait()
	if got, want := r.balance("alice"), int64(1000000-lines*each*100); got != want {
		t.Errorf("alice has %d, want %d", got, want)
	}
	r.checkBooks()
}

// TestBadPeers: a peer that does not speak the dialect loses its line, for a
// counted reason; the others keep theirs.
func TestBadPeers(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Connections = 2 })
	good := r.signedOn()
	sound := good.pack("0200", sale(1))
	for reason, bytes := range map[string][]byte{
		"frame_too_short":            {0x00, 0x13},
		"frame_too_long":             {0xFF, 0xFF},
		"message_does_not_unpack":    append([]byte{0x00, 0x14}, "HELLO HELLO HELLO HE"...),
		"message_not_canonical":      append(append([]byte{0, byte(len(sound) + 1)}, sound...), 'x'),
		"message_type_not_a_request": append([]byte{0x00, 0x14}, "02100000000000000000"...),
	} {
		c := r.dial()
		if _, err := c.net.Write(bytes); err != nil {
			t.Fatal(err)
		}
		c.hungUp()
		r.counted("closed_" + reason)
	}
	torn := r.dial()
	if _, err := torn.net.Write([]byte{0x00, 0x20, '0'}); err != nil {
		t.Fatal(err)
	}
	if err := torn.net.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	torn.hungUp()
	r.counted("closed_frame_torn")
	r.dial()
	r.dial().hungUp() // the third of two
	r.counted("closed_too_many_connections")
	if _, f := good.ask("0200", sale(2)); f[39] != "00" {
		t.Errorf("the good line: %q", f[39])
	}
}

// TestDiskGone: when the books cannot be written there is no answer, and the
// host stops.
func TestDiskGone(t *testing.T) {
	r := newRig(t)
	c := r.signedOn()
	r.host.books.file.Close()
	c.send(c.pack("0200", sale(1)))
	c.hungUp()
	if _, err := net.Dial("tcp", r.addr); err == nil {
		t.Error("a host without books listens")
	}
}
