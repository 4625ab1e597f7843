// SPDX-License-Identifier: Apache-2.0

package pos_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tapswitch/internal/env"
	"tapswitch/terminal/host/hosttest"
	"tapswitch/terminal/pos"
)

// secured runs a till against a switch behind TLS and gives its output.
func secured(t *testing.T, address string, trusted []byte, name string) string {
	t.Helper()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "tmk.hex"), hosttest.TMK)
	writeFile(t, filepath.Join(dir, "ca.pem"), string(trusted))
	path := filepath.Join(dir, "terminal.yaml")
	writeFile(t, path, strings.Replace(strings.Replace(least, "private_line: true", "tls: { ca_file: ca.pem, server_name: "+name+" }", 1),
		"127.0.0.1:7001", `"`+address+`"`, 1))
	cfg, err := pos.Load(path, source())
	if err != nil {
		t.Fatal(err)
	}
	security, err := cfg.TLS(os.ReadFile)
	if err != nil {
		t.Fatal(err)
	}
	var out, log strings.Builder
	till, err := pos.New(t.Context(), cfg, pos.Options{World: env.Real(), TLS: security, Out: &out, Log: &log, Taps: &taps{t: t, next: []pos.Tap{{CVM: "none"}}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := till.Run(t.Context(), strings.NewReader("sale 100\n")); err != nil {
		t.Error(err)
	}
	if err := till.Close(); err != nil {
		t.Error(err)
	}
	return out.String()
}

func TestTLS(t *testing.T) {
	sw, trusted := hosttest.StartTLS(t)
	_, other := hosttest.StartTLS(t)
	if out := secured(t, sw.Address(), trusted, hosttest.ServerName); !strings.Contains(out, "APPROVED 1.00 CNY "+masked) {
		t.Errorf("got\n%s", out)
	}
	for name, out := range map[string]string{
		"other certificate": secured(t, sw.Address(), other, hosttest.ServerName),
		"other name":        secured(t, sw.Address(), trusted, "else.test"),
	} {
		if !strings.Contains(out, "host_unreachable") || !strings.Contains(out, "TLS") || strings.Contains(out, "APPROVED") {
			t.Errorf("%s: got\n%s", name, out)
		}
	}
}

// The storage key is made once, and a damaged one is refused.
func TestStorageKey(t *testing.T) {
	sw, dir := hosttest.Start(t), t.TempDir()
	cfg := settings(t, dir, sw.Address())
	start := func() error {
		till, err := pos.New(t.Context(), cfg, pos.Options{World: env.Real(), Out: &safeBuffer{}, Log: &safeBuffer{}, Taps: &taps{t: t}})
		if err != nil {
			return err
		}
		return till.Close()
	}
	name := filepath.Join(dir, "state", "storage.key")
	var first []byte
	for range 2 {
		if err := start(); err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(name)
		if err != nil || len(raw) != 64 || first != nil && string(raw) != string(first) {
			t.Fatalf("%d bytes, %v, or another key at the second start", len(raw), err)
		}
		first = raw
	}
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	writeFile(t, name, "short")
	if err := start(); err == nil || !strings.Contains(err.Error(), "is damaged") {
		t.Errorf("got %v", err)
	}
}
