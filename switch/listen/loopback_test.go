// SPDX-License-Identifier: Apache-2.0

package listen

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	mrand "math/rand/v2"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"tapswitch/internal/env"
	"tapswitch/iso8583/frame"
)

// openReal serves on a real loopback socket.
func openReal(t *testing.T, edit func(*Config)) (*Server, func(reason string) int) {
	t.Helper()
	var mu sync.Mutex
	counts := map[string]int{}
	cfg := Config{Address: "127.0.0.1:0", Frame: frame.UnionPayPOS(), Env: env.Real(), PrivateLine: true, Count: func(reason string) {
		mu.Lock()
		defer mu.Unlock()
		counts[reason]++
	}}
	if edit != nil {
		edit(&cfg)
	}
	s, err := Listen(cfg, &till{env: cfg.Env, gates: map[string]env.Event{}})
	if err != nil {
		t.Fatal(err)
	}
	return s, func(reason string) int {
		mu.Lock()
		defer mu.Unlock()
		if reason == "" {
			n := 0
			for _, v := range counts {
				n += v
			}
			return n
		}
		return counts[reason]
	}
}

// settles waits until f is true, for two seconds at most.
func settles(f func() bool) bool {
	for range 400 {
		if f() {
			return true
		}
		time.Sleep(5 * time.Millisecond)
	}
	return f()
}

// A thousand connections that send garbage are closed and counted one by one; a
// terminal among them is served, and no goroutine is left behind.
func TestGarbageOverLoopback(t *testing.T) {
	before := runtime.NumGoroutine()
	s, count := openReal(t, func(c *Config) { c.MessageTime = 50 * time.Millisecond })
	seeded := mrand.New(mrand.NewPCG(1, 2))
	good := connect(t, s, nil)
	for i := range 1000 {
		c := connect(t, s, nil)
		garbage := make([]byte, 1+seeded.IntN(40))
		for j := range garbage {
			garbage[j] = byte(seeded.Uint32())
		}
		garbage[0] |= 0x80 // a length beyond the bound, so that each is garbage for sure
		if i%3 == 0 {
			garbage = garbage[:1] // hangs up in the length
		}
		if _, err := c.Write(garbage); err != nil {
			t.Fatal(err)
		}
		c.Close()
		if i%250 == 0 {
			roundTrip(t, good, fmt.Sprint("sale ", i))
		}
	}
	good.Close()
	if !settles(func() bool { return s.Connections() == 0 && count("") == 1001 }) {
		t.Errorf("%d connections are left, %d were counted", s.Connections(), count(""))
	}
	if n := count(frame.ReasonTooLong); n < 600 {
		t.Errorf("%d too long", n)
	}
	if cut := s.Close(env.Never); cut != 0 {
		t.Errorf("%d cut", cut)
	}
	if !settles(func() bool { return runtime.NumGoroutine() <= before }) {
		t.Errorf("%d goroutines before, %d after", before, runtime.NumGoroutine())
	}
}

func connect(t *testing.T, s *Server, conf *tls.Config) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if conf != nil {
		return tls.Client(c, conf)
	}
	return c
}

func roundTrip(t *testing.T, c net.Conn, body string) {
	t.Helper()
	if _, err := c.Write(message(body)); err != nil {
		t.Error(err)
	}
	if got := read(c); got != "ok "+strings.TrimRight(pad(body), " ") {
		t.Errorf("read %q after %q", got, body)
	}
}

// Many terminals at once: each gets its own answers and nobody else's.
func TestManyTerminalsOverLoopback(t *testing.T) {
	s, count := openReal(t, nil)
	var wg sync.WaitGroup
	for n := range 40 {
		c := connect(t, s, nil)
		wg.Go(func() {
			defer c.Close()
			for i := range 50 {
				roundTrip(t, c, fmt.Sprintf("%d/%d", n, i))
			}
		})
	}
	wg.Wait()
	if !settles(func() bool { return s.Connections() == 0 }) || count(ReasonEnd) != 40 {
		t.Errorf("%d ended, %d are left", count(ReasonEnd), s.Connections())
	}
	s.Close(env.Never)
}

// certificate makes a key pair that is good for this test.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// Over TLS the same; who speaks plain, or an old version, is refused and counted.
func TestTLS(t *testing.T) {
	cert, roots := certificate(t)
	s, count := openReal(t, func(c *Config) {
		c.PrivateLine = false
		c.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	})
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		c := connect(t, s, &tls.Config{RootCAs: roots, ServerName: "127.0.0.1", MinVersion: version, MaxVersion: version})
		roundTrip(t, c, "sale")
		roundTrip(t, c, "void")
		c.Close()
	}
	old := connect(t, s, &tls.Config{RootCAs: roots, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	if _, err := old.Write([]byte("x")); err == nil {
		t.Error("TLS 1.1 was accepted")
	}
	old.Close()
	plain := connect(t, s, nil)
	if _, err := plain.Write(message("sale")); err != nil {
		t.Error(err)
	}
	if b, _ := io.ReadAll(plain); strings.Contains(string(b), "ok") { // an alert, perhaps
		t.Error("plain bytes were served")
	}
	if !settles(func() bool { return count(ReasonHandshake) == 2 && s.Connections() == 0 }) {
		t.Errorf("%d handshakes failed, %d connections are left", count(ReasonHandshake), s.Connections())
	}
	s.Close(env.Never)
	for _, bad := range []Config{
		{Address: "a", Frame: frame.UnionPayPOS()},
		{Address: "a", Frame: frame.UnionPayPOS(), TLS: &tls.Config{MinVersion: tls.VersionTLS11}},
	} {
		if _, err := Listen(bad, nil); err == nil {
			t.Errorf("plain without a private line, or an old TLS, was accepted: %+v", bad.TLS)
		}
	}
}

// An idle plain connection that has been used costs at most 8 KiB, the client's
// end of it in this process included: the slope between two crowds.
func TestIdleConnectionIsSmall(t *testing.T) {
	s, _ := openReal(t, nil)
	var conns []net.Conn
	memory := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc + m.StackInuse
	}
	grow := func(n int) {
		for len(conns) < n {
			c := connect(t, s, nil)
			roundTrip(t, c, "sale")
			conns = append(conns, c)
		}
	}
	grow(100)
	small := memory()
	grow(400)
	per := (int64(memory()) - int64(small)) / 300
	t.Logf("%d bytes for an idle connection", per)
	if per > 8<<10 && !underRace { // the race detector makes everything larger
		t.Errorf("%d bytes for an idle connection", per)
	}
	for _, c := range conns {
		c.Close()
	}
	s.Close(env.Never)
}

var _ Handler = (*till)(nil)
