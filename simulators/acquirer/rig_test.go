// SPDX-License-Identifier: Apache-2.0

package acquirer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	moov "github.com/moov-io/iso8583"
)

// patience bounds every wait of the tests; quiet is how long silence is listened to.
const (
	patience = 5 * time.Second
	quiet    = 60 * time.Millisecond
)

// fields is a message by field numbers; binary fields are raw bytes.
type fields map[int]string

// rig is a host under test, on a real listener.
type rig struct {
	*testing.T
	host *Host
	addr string
	cfg  Config
}

func testConfig(t testing.TB) Config {
	t.Helper()
	cfg, err := LoadConfig("testdata/host.yaml")
	if err != nil {
		t.Fatal(err)
	}
	cfg.Books = filepath.Join(t.TempDir(), "books.jsonl")
	return cfg
}

func newRig(t *testing.T, edits ...func(*Config)) *rig {
	t.Helper()
	cfg := testConfig(t)
	for _, edit := range edits {
		edit(&cfg)
	}
	r := &rig{T: t, cfg: cfg}
	r.start()
	t.Cleanup(func() { r.host.Close() })
	return r
}

// start runs a host on the rig's books; after host.Close it is a restart.
func (r *rig) start() {
	r.Helper()
	h, err := New(r.cfg)
	if err != nil {
		r.Fatal(err)
	}
	r.host = h
	r.listen()
}

func (r *rig) listen() {
	r.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.Fatal(err)
	}
	r.addr = l.Addr().String()
	go r.host.Serve(l)
}

func (r *rig) mood(s string) {
	r.Helper()
	m, err := ParseMood(s)
	if err == nil {
		err = r.host.SetMood(m)
	}
	if err != nil {
		r.Fatal(err)
	}
}

// balance is what the books say of an account.
func (r *rig) balance(id string) int64 {
	for _, a := range r.host.Summary().Accounts {
		if a.ID == id {
			return int64(a.BalanceMinor)
		}
	}
	r.Fatalf("no account %s", id)
	return 0
}

// last waits for the newest entry of a reason and returns it.
func (r *rig) last(reason string) Entry {
	r.Helper()
	for until := time.Now().Add(patience); time.Now().Before(until); time.Sleep(2 * time.Millisecond) {
		books := r.host.Books()
		if e := books[len(books)-1]; e.Reason == reason {
			return e
		}
	}
	r.Fatalf("no entry with reason %s; the books end with %+v", reason, r.host.Books()[len(r.host.Books())-1])
	return Entry{}
}

// checkBooks demands sound books, here and in the file.
func (r *rig) checkBooks() {
	r.Helper()
	if s := r.host.Summary(); s.Check != StateOK {
		r.Fatal(s.Check)
	}
}

// client is a switch's end of the line, on moov's codec.
type client struct {
	*testing.T
	net net.Conn
	zak []byte
}

func (r *rig) dial() *client {
	r.Helper()
	nc, err := net.Dial("tcp", r.addr)
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { nc.Close() })
	return &client{r.T, nc, r.cfg.Keys.ZAK.raw()}
}

// signedOn is a connection after its sign-on.
func (r *rig) signedOn() *client {
	r.Helper()
	c := r.dial()
	if _, f := c.ask("0800", network("001")); f[39] != "00" {
		r.Fatalf("sign-on answered %q", f[39])
	}
	return c
}

// pack builds a message with its MAC.
func (c *client) pack(mti string, f fields) []byte {
	c.Helper()
	withMAC := mti[1] != '8'
	if withMAC {
		f[macField(f)] = "\x00\x00\x00\x00\x00\x00\x00\x00"
	}
	m := moov.NewMessage(newSpec())
	m.MTI(mti)
	for id, v := range f {
		if err := m.BinaryField(id, []byte(v)); err != nil {
			c.Fatal(err)
		}
	}
	raw, err := m.Pack()
	if err != nil {
		c.Fatal(err)
	}
	if withMAC {
		mac := retailMAC(c.zak, padZero(raw[:len(raw)-8]))
		copy(raw[len(raw)-8:], mac[:])
	}
	return raw
}

func (c *client) send(raw []byte) {
	c.Helper()
	if _, err := c.net.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(raw))), raw...)); err != nil {
		c.Fatal(err)
	}
}

// receive returns the next frame, or an error after the wait.
func (c *client) receive(wait time.Duration) ([]byte, error) {
	if err := c.net.SetReadDeadline(time.Now().Add(wait)); err != nil {
		return nil, err
	}
	var header [2]byte
	if _, err := io.ReadFull(c.net, header[:]); err != nil {
		return nil, err
	}
	raw := make([]byte, binary.BigEndian.Uint16(header[:]))
	_, err := io.ReadFull(c.net, raw)
	return raw, err
}

// answer reads a reply and demands a right MAC where one belongs.
func (c *client) answer() (string, fields) {
	c.Helper()
	raw, err := c.receive(patience)
	if err != nil {
		c.Fatalf("no answer: %v", err)
	}
	mti, f := c.unpack(raw)
	if mti[1] != '8' && checkMAC(&message{fields: f}, raw, c.zak) != StateOK {
		c.Fatalf("answer %s: MAC wrong or missing", mti)
	}
	return mti, f
}

func (c *client) unpack(raw []byte) (string, fields) {
	c.Helper()
	m := moov.NewMessage(newSpec())
	if err := m.Unpack(raw); err != nil {
		c.Fatal("answer does not unpack")
	}
	mti, err := m.GetMTI()
	if err != nil {
		c.Fatal(err)
	}
	f := fields{}
	for id, v := range m.GetFields() {
		if b, err := v.Bytes(); err == nil && id > 1 {
			f[id] = string(b)
		}
	}
	return mti, f
}

func (c *client) ask(mti string, f fields) (string, fields) {
	c.Helper()
	c.send(c.pack(mti, f))
	return c.answer()
}

// silence demands that nothing comes and the line stays.
func (c *client) silence() {
	c.Helper()
	if raw, err := c.receive(quiet); err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
		c.Fatalf("got %d bytes, %v; want silence", len(raw), err)
	}
}

// hungUp demands that the host closed the line.
func (c *client) hungUp() {
	c.Helper()
	if _, err := c.receive(patience); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		c.Fatalf("the line is open (%v); want it closed", err)
	}
}

func network(code string) fields {
	return fields{7: "0715031530", 11: "000900", 70: code}
}

// sale is a magnetic purchase of 12.34 by alice, without PIN.
func sale(stan int, edits ...func(fields)) fields {
	f := fields{2: "6224242300000069", 3: "000000", 4: "000000001234", 7: "0715031541", 11: fmt.Sprintf("%06d", stan), 12: "111541", 13: "0715", 14: "3010",
		18: "5311", 22: "021", 25: "00", 32: "40000001", 37: fmt.Sprintf("607153%06d", stan), 41: "10016919", 42: "84329004582000B", 49: "156"}
	for _, edit := range edits {
		edit(f)
	}
	return f
}

// reversal undoes sale(stan) under its own trace number.
func reversal(own, stan int, edits ...func(fields)) fields {
	f := fields{2: "6224242300000069", 3: "000000", 4: "000000001234", 7: "0715031556", 11: fmt.Sprintf("%06d", own), 12: "111541", 13: "0715", 14: "3010",
		22: "021", 32: "40000001", 37: fmt.Sprintf("607153%06d", stan), 41: "10016919", 42: "84329004582000B", 49: "156",
		90: fmt.Sprintf("0200%06d07150315410004000000100000000000", stan)}
	for _, edit := range edits {
		edit(f)
	}
	return f
}

func set(id int, v string) func(fields) { return func(f fields) { f[id] = v } }
func unset(id int) func(fields)         { return func(f fields) { delete(f, id) } }

// withPIN puts a format 0 block under the zone key.
func withPIN(cfg Config, pin string) func(fields) {
	return func(f fields) {
		account := NewPAN(f[2]).Account12()
		field := fmt.Sprintf("%02d%s%s", len(pin), pin, "FFFFFFFFFFFFFF"[len(pin):])
		block := unhex(field)
		for i := range 6 {
			block[2+i] ^= digit(account[2*i], account[2*i+1])
		}
		tripleDES(cfg.Keys.ZPK.raw()).Encrypt(block, block)
		f[52] = string(block)
	}
}

// withChip puts a cryptogram of the card's profile into field 55.
func withChip(r *rig, wrong bool) func(fields) {
	return func(f fields) {
		iad := "07010103A0000001"
		if f[2] == "4761739001010119" {
			iad = "06010A03A00000"
		}
		tags := []string{"9F0206000000001234", "9F0306000000000000", "9F1A020156", "950500000000" + "00", "5F2A020156", "9A03260715", "9C0100", "9F37042B29EBE4",
			"82027C00", "9F36020ADC", fmt.Sprintf("9F10%02X%s", len(iad)/2, iad), "5F340101"}
		var tlv []byte
		for _, t := range tags {
			tlv = append(tlv, unhex(t)...)
		}
		f[22], f[23] = "071", "001"
		f[55] = string(tlv) + "\x9F\x26\x08\x00\x00\x00\x00\x00\x00\x00\x00"
		l := newLedger(r.cfg)
		c, ok := l.chipOf(&message{fields: f}, l.find(&message{fields: f}))
		data, err := c.data()
		if !ok || err != nil {
			r.Fatalf("no chip data: %v", err)
		}
		padded := padZero(data)
		if c.rules.pad80 {
			padded = pad80(data)
		}
		ac := retailMAC(c.key(), padded)
		if wrong {
			ac[7] ^= 1
		}
		f[55] = string(tlv) + "\x9F\x26\x08" + string(ac[:])
	}
}

// counted waits until a reason was counted once.
func (r *rig) counted(reason string) {
	r.Helper()
	for until := time.Now().Add(patience); time.Now().Before(until); time.Sleep(2 * time.Millisecond) {
		if r.host.Counters()[reason] == 1 {
			return
		}
	}
	r.Errorf("%s not counted once: %v", reason, r.host.Counters())
}
