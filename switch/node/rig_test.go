// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tapswitch/hsm"
	"tapswitch/hsm/keystore"
	"tapswitch/hsm/soft"
	"tapswitch/internal/env"
	"tapswitch/internal/secret"
	sim "tapswitch/simulators/acquirer"
	"tapswitch/simulators/card"
	"tapswitch/switch/config"
	"tapswitch/switch/txn"
)

// The names and published test keys of the rig.
const (
	merchant   = "104110059990001"
	tmkHex     = "0123456789ABCDEFFEDCBA9876543210"
	storageHex = "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F"
	openingFen = 4_000_000

	panA = "6224242300000069" // issued by acq-a, which checks PIN and cryptogram
	panB = "4761739001010119" // on-us: the switch checks them, acq-b keeps the account
)

// patience bounds every wait of the tests.
const patience = 10 * time.Second

// rig is a switch between terminals and two acquirers, in one process. The
// switch can be stopped and started again over the same disk.
type rig struct {
	testing.TB
	cfg     *config.Config
	world   env.Env
	soft    *soft.Module
	module  *shaky
	a, b    *bank
	cards   *card.Counters
	script  string      // of the account at bank A
	ledgers string      // the folder of the acquirers' books, "" for a new one
	tills   int         // terminals beyond terminalsMax
	tune    func(*Node) // what is done to a switch before it runs

	node   *Node
	addr   string
	cancel context.CancelFunc
	ended  chan error
	log    *logBook
}

// shaky is a module that fails when told to.
type shaky struct {
	*soft.Module
	mu   sync.Mutex
	fail func(op string, key *hsm.Key) error
}

func (s *shaky) set(fail func(op string, key *hsm.Key) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = fail
}

// gone makes every operation fail, or none.
func (s *shaky) gone(is bool) {
	if !is {
		s.set(nil)
		return
	}
	s.set(func(string, *hsm.Key) error { return fmt.Errorf("%w: unplugged", hsm.ErrUnavailable) })
}

func (s *shaky) ask(op string, key *hsm.Key) error {
	s.mu.Lock()
	fail := s.fail
	s.mu.Unlock()
	if fail == nil {
		return nil
	}
	return fail(op, key)
}

func (s *shaky) Health() error { return s.ask("health", nil) }

func (s *shaky) MAC(ctx context.Context, key *hsm.Key, alg hsm.MACAlgorithm, data []byte) ([]byte, error) {
	if err := s.ask("mac", key); err != nil {
		return nil, err
	}
	return s.Module.MAC(ctx, key, alg, data)
}

func (s *shaky) VerifyMAC(ctx context.Context, key *hsm.Key, alg hsm.MACAlgorithm, data, mac []byte) error {
	if err := s.ask("verify_mac", key); err != nil {
		return err
	}
	return s.Module.VerifyMAC(ctx, key, alg, data, mac)
}

func (s *shaky) TranslatePIN(ctx context.Context, in hsm.EncipheredPIN, to hsm.PINTarget) (secret.PINBlock, error) {
	if err := s.ask("translate_pin", in.Key); err != nil {
		return secret.PINBlock{}, err
	}
	return s.Module.TranslatePIN(ctx, in, to)
}

func (s *shaky) VerifyPVV(ctx context.Context, in hsm.EncipheredPIN, ref hsm.PVV) error {
	if err := s.ask("verify_pvv", in.Key); err != nil {
		return err
	}
	return s.Module.VerifyPVV(ctx, in, ref)
}

func (s *shaky) GenerateSet(ctx context.Context, under *hsm.Key, set ...hsm.WorkingKey) ([]hsm.Key, []hsm.Exported, error) {
	if err := s.ask("generate_set", under); err != nil {
		return nil, nil, err
	}
	return s.Module.GenerateSet(ctx, under, set...)
}

func (s *shaky) Seal(ctx context.Context, key *hsm.Key, plain, aad []byte) ([]byte, error) {
	if err := s.ask("seal", key); err != nil {
		return nil, err
	}
	return s.Module.Seal(ctx, key, plain, aad)
}

func (s *shaky) Open(ctx context.Context, key *hsm.Key, sealed, aad []byte) ([]byte, error) {
	if err := s.ask("open", key); err != nil {
		return nil, err
	}
	return s.Module.Open(ctx, key, sealed, aad)
}

func (s *shaky) Token(ctx context.Context, key *hsm.Key, pan secret.PAN) ([16]byte, error) {
	if err := s.ask("token", key); err != nil {
		return [16]byte{}, err
	}
	return s.Module.Token(ctx, key, pan)
}

func (s *shaky) VerifyARQC(ctx context.Context, imk *hsm.Key, c hsm.Cryptogram) error {
	if err := s.ask("verify_arqc", imk); err != nil {
		return err
	}
	return s.Module.VerifyARQC(ctx, imk, c)
}

func (s *shaky) ARPC(ctx context.Context, imk *hsm.Key, c hsm.Cryptogram, arc [2]byte) ([10]byte, error) {
	if err := s.ask("arpc", imk); err != nil {
		return [10]byte{}, err
	}
	return s.Module.ARPC(ctx, imk, c, arc)
}

// bank is an acquirer's host on an address that it keeps.
type bank struct {
	testing.TB
	cfg  sim.Config
	host *sim.Host
	addr string
}

func startBank(t testing.TB, cfg sim.Config) *bank {
	t.Helper()
	h, err := sim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	b := &bank{TB: t, cfg: cfg, host: h}
	b.listen("127.0.0.1:0")
	return b
}

// rekey gives the host another MAC key; its books and its address stay.
func (b *bank) rekey(zak string) {
	b.Helper()
	if err := b.host.Close(); err != nil {
		b.Fatal(err)
	}
	b.cfg.Keys.ZAK = sim.NewKey(zak)
	h, err := sim.New(b.cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { h.Close() })
	b.host = h
	b.listen(b.addr)
}

func (b *bank) listen(addr string) {
	b.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	b.addr = l.Addr().String()
	go b.host.Serve(l)
}

func (b *bank) mood(s string) {
	b.Helper()
	m, err := sim.ParseMood(s)
	if err == nil {
		err = b.host.SetMood(m)
	}
	if err != nil {
		b.Fatal(err)
	}
}

// taken is what the bank's account paid, all in all.
func (b *bank) taken() int64 { return openingFen - int64(b.host.Summary().Accounts[0].BalanceMinor) }

// count is how many messages of a type the books have.
func (b *bank) count(mti string) (n int) {
	for _, e := range b.host.Books() {
		if e.MTI == mti {
			n++
		}
	}
	return n
}

// newRig starts everything.
func newRig(t testing.TB, edits ...func(*config.Config)) *rig {
	t.Helper()
	return newRigWith(t, func(*rig) {}, edits...)
}

// newRigWith starts everything after prepare.
func newRigWith(t testing.TB, prepare func(*rig), edits ...func(*config.Config)) *rig {
	t.Helper()
	r := &rig{TB: t, world: env.Real()}
	prepare(r)
	var err error
	if r.soft, err = soft.New(r.world.Rand, r.world.Clock); err != nil {
		t.Fatal(err)
	}
	r.module = &shaky{Module: r.soft}
	if r.cards, err = card.OpenCounters(""); err != nil {
		t.Fatal(err)
	}
	keys := card.TestKeys()
	a := bankConfig(t, r.ledgers, "acq-a", "40000001", panA, []sim.Issuer{{Prefix: "622424", Profile: sim.UnionPayCVN01, IMK: sim.NewKey(keys.UnionPayIMK)}})
	a.Accounts[0].Script = r.script
	r.a = startBank(t, a)
	r.b = startBank(t, bankConfig(t, r.ledgers, "acq-b", "40000002", panB, nil))
	r.cfg = r.config(t.TempDir())
	for _, edit := range edits {
		edit(r.cfg)
	}
	r.loadKeys()
	r.start()
	t.Cleanup(func() {
		if r.node != nil {
			r.stop()
		}
	})
	return r
}

func bankConfig(t testing.TB, books, name, institution, pan string, issuers []sim.Issuer) sim.Config {
	if books == "" {
		books = t.TempDir()
	}
	return sim.Config{
		Version: 1, Name: name, Books: filepath.Join(books, name), Institution: institution, Issuers: issuers,
		Keys:     sim.Keys{ZPK: sim.NewKey("1F1E1D1C1B1A19181716151413121110"), ZAK: sim.NewKey("76850752AD7307ADE554D06D3BA73279")},
		Accounts: []sim.Account{{ID: "holder", PAN: sim.NewPAN(pan), PIN: sim.NewPIN(card.TestKeys().PIN), BalanceMinor: openingFen}},
	}
}

// terminals is how many the configuration has; the last one is blocked.
const terminalsMax = 10

func terminalID(i int) string { return fmt.Sprintf("1000%04d", i) }

func (r *rig) config(dir string) *config.Config {
	link := func(name, institution, addr string) config.Link {
		return config.Link{Name: name, Dialect: "iso87ascii", Addresses: []string{addr}, Institution: institution, Connections: 1,
			Timeout: 1500 * time.Millisecond, Echo: 300 * time.Millisecond, SignOn: time.Second, MaxInFlight: 256, SAFWindow: 4,
			ZPK: "link/" + name + "/zpk", ZAK: "link/" + name + "/zak", MerchantType: "5999",
			HoldDays: 30, CompletionPercent: 115}
	}
	c := &config.Config{
		Version: 1, Environment: "test", Node: config.Node{Name: "rig", Drain: 4 * time.Second},
		Listeners: []config.Listener{{Name: "pos", Address: "127.0.0.1:0", Dialect: "unionpaypos", PrivateLine: true, MaxConnections: 100,
			Idle: time.Minute, Message: 5 * time.Second, InFlightPerConnection: 4}},
		Payment: config.Payment{Deadline: 4 * time.Second, MaxInFlight: 64, ReplayWindow: 24 * time.Hour, PINTries: 3}, Settlement: config.Settlement{MACRequired: true},
		Journal: config.Journal{Dir: filepath.Join(dir, "journal"), SegmentBytes: 1 << 20, MaxBytes: 64 << 20, Queue: 256},
		HSM:     config.HSM{Keystore: filepath.Join(dir, "keystore")},
		Links:   []config.Link{link("acq-a", "40000001", r.a.addr), link("acq-b", "40000002", r.b.addr)},
		Issuers: []config.Issuer{{Name: "visa", Profile: "visa_cvn10", IMK: "issuer/visa/imk", PVK: "issuer/visa/pvk"}},
		BINs: []config.BIN{{Low: "622424", High: "622424", Scheme: "unionpay", Links: []string{"acq-a"}},
			{Low: "476173", High: "476173", Scheme: "visa", Links: []string{"acq-b"}, Issuer: "visa"}},
		Reversal: config.Reversal{Retry: 50 * time.Millisecond, MaxRetry: 200 * time.Millisecond},
		Observe:  config.Observe{LogLevel: "info"},
		PAN:      config.PAN{Seal: "store/pan-seal", Token: "store/pan-token"},
	}
	for i := range max(terminalsMax, r.tills) {
		t := config.Terminal{ID: terminalID(i), Merchant: merchant, TMK: "terminal/" + terminalID(i) + "/tmk", Status: "active"}
		if i == terminalsMax-1 {
			t.Status = "blocked"
		}
		c.Terminals = append(c.Terminals, t)
	}
	return c
}

func (r *rig) secretKey(digits string) secret.Key {
	r.Helper()
	b, err := hex.DecodeString(digits)
	if err != nil {
		r.Fatal(err)
	}
	k, err := secret.NewKey(b)
	if err != nil {
		r.Fatal(err)
	}
	return k
}

// loadKeys fills the keystore, as the ceremony does.
func (r *rig) loadKeys() {
	r.Helper()
	store, err := keystore.Open(r.world.Disk, r.cfg.HSM.Keystore)
	if err != nil {
		r.Fatal(err)
	}
	load := func(name string, u hsm.Usage, a hsm.Algorithm, value string) {
		owner := name[:strings.LastIndexByte(name, '/')]
		k, err := r.soft.LoadClear(context.Background(), hsm.Spec{Name: name, Usage: u, Algorithm: a, Owner: owner, Version: 1}, r.secretKey(value))
		if err == nil {
			err = store.Put(k)
		}
		if err != nil {
			r.Fatal(err)
		}
	}
	for _, link := range []string{"acq-a", "acq-b"} {
		load("link/"+link+"/zpk", hsm.ZPK, hsm.TDES2, "1F1E1D1C1B1A19181716151413121110")
		load("link/"+link+"/zak", hsm.ZAK, hsm.TDES2, "76850752AD7307ADE554D06D3BA73279")
	}
	load("issuer/visa/imk", hsm.IMKAC, hsm.TDES2, card.TestKeys().VisaIMK)
	load("issuer/visa/pvk", hsm.PVK, hsm.TDES2, card.TestKeys().PVK)
	load("store/pan-seal", hsm.PANSeal, hsm.AES256, storageHex)
	load("store/pan-token", hsm.PANToken, hsm.AES256, storageHex)
	for i := range max(terminalsMax, r.tills) {
		load("terminal/"+terminalID(i)+"/tmk", hsm.TMK, hsm.TDES2, tmkHex)
	}
	if err := store.Close(); err != nil {
		r.Fatal(err)
	}
}

// start runs the switch and waits until it listens and both links are up.
func (r *rig) start() {
	r.Helper()
	r.log, r.addr = &logBook{}, ""
	n, err := New(r.cfg, r.world, r.module, Options{Log: r.log, Version: "test"})
	if err != nil {
		r.Fatal(err)
	}
	if r.tune != nil {
		r.tune(n)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.node, r.cancel, r.ended = n, cancel, make(chan error, 1)
	go func() { r.ended <- n.Run(ctx) }()
	r.soon("the listener", func() bool {
		for _, e := range r.log.events("listening") {
			r.addr, _ = e["address"].(string)
		}
		return r.addr != ""
	})
	r.soon("both links up", func() bool { return n.links.Up("acq-a") && n.links.Up("acq-b") })
}

// stop ends the switch as SIGTERM does.
func (r *rig) stop() {
	r.Helper()
	r.cancel()
	if err := r.wait(); err != nil {
		r.Errorf("the switch ended with %v", err)
	}
}

// wait waits for Run to return.
func (r *rig) wait() error {
	r.Helper()
	select {
	case err := <-r.ended:
		r.node.listeners = nil
		r.node = nil
		r.cancel()
		return err
	case <-time.After(patience):
		r.Fatal("the switch does not stop")
		return nil
	}
}

func (r *rig) restart() {
	r.Helper()
	r.stop()
	r.start()
}

// soon waits until is says so.
func (r *rig) soon(what string, is func() bool) {
	r.Helper()
	for until := time.Now().Add(patience); !is(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(until) {
			r.Fatalf("%s: not within %v; the log ends with %s", what, patience, r.log.tail())
		}
	}
}

// settled waits until no reversal is waiting.
func (r *rig) settled() {
	r.Helper()
	r.soon("delivery of all reversals", func() bool { return r.node.saf.Depth("acq-a")+r.node.saf.Depth("acq-b") == 0 })
}

// find is the payment of terminal i with this trace number.
func (r *rig) find(i int, trace uint32) (p txn.Payment, ok bool) {
	r.node.index.Each(func(q txn.Payment) {
		if q.Key.Terminal.String() == terminalID(i) && uint32(q.Key.Trace) == trace {
			p, ok = q, true
		}
	})
	return p, ok
}

// metric is one line of /metrics, "" when it is not there.
func (r *rig) metric(line string) string {
	w := httptest.NewRecorder()
	r.node.observer.Handler(nil).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, l := range strings.Split(w.Body.String(), "\n") {
		if rest, ok := strings.CutPrefix(l, line+" "); ok {
			return rest
		}
	}
	return ""
}

// ready is what /readyz says.
func (r *rig) ready() int {
	w := httptest.NewRecorder()
	r.node.observer.Handler(r.node.checks()).ServeHTTP(w, httptest.NewRequest("GET", "/readyz", nil))
	return w.Code
}

// logBook keeps the log.
type logBook struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBook) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *logBook) tail() string {
	s := l.text()
	return s[max(0, len(s)-1500):]
}

// events are the lines with this message.
func (l *logBook) events(msg string) (out []map[string]any) {
	for _, line := range strings.Split(l.text(), "\n") {
		var e map[string]any
		if json.Unmarshal([]byte(line), &e) == nil && e["msg"] == msg {
			out = append(out, e)
		}
	}
	return out
}
