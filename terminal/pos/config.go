// SPDX-License-Identifier: Apache-2.0

package pos

import (
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"tapswitch/internal/money"
	"tapswitch/internal/secret"
	"tapswitch/iso8583/frame"
	"tapswitch/terminal/host"
	"tapswitch/terminal/kernel"
)

// Config is one terminal.
type Config struct {
	ID       string
	Merchant string
	TMK      secret.Key
	Storage  secret.Key // zero: one is made and kept in the state directory
	TPDU     frame.TPDU
	Header   frame.Header

	Address     string
	PrivateLine bool // plain TCP
	CA          string
	ServerName  string
	Certificate string
	PrivateKey  string

	Port string
	Baud int

	Answer, Connect, CardWait, PINWait time.Duration
	Tries                              int

	Batch            string
	Currency         money.Currency
	Country          uint16 // ISO 3166 numeric
	CVMLimit         money.MinorUnits
	ContactlessLimit money.MinorUnits
	Part             bool // take approvals of a part of the amount
	Offline          host.OfflineLimits

	// CAKeys are the schemes whose cards are authenticated offline, Revoked their
	// issuer certificates that count no more.
	CAKeys  []kernel.CAKey
	Revoked []kernel.RevokedCertificate

	StateDir string
	Log      string
}

// Source is what reading a configuration needs of the machine.
type Source struct {
	ReadFile  func(name string) ([]byte, error)
	LookupEnv func(name string) (string, bool)
}

// entry is one key of the file: its dotted path, its default, how it is read.
type entry struct {
	path string
	def  string // "-": must be given; "" may be left out
	take func(c *loading, value string) error
}

// loading is the configuration in the making.
type loading struct {
	Config
	folder string
	from   Source
}

// entries is the schema, in the order of the documentation.
func entries() []entry {
	text := func(p func(*loading) *string, check func(string) bool, rule string) func(*loading, string) error {
		return func(c *loading, v string) error {
			if !check(v) {
				return errors.New(rule)
			}
			*p(c) = v
			return nil
		}
	}
	return []entry{
		{"version", "-", wantVersion},
		{"id", "-", text(func(c *loading) *string { return &c.ID }, printable(8), "must be 8 letters or digits")},
		{"merchant", "-", text(func(c *loading) *string { return &c.Merchant }, printable(15), "must be 15 letters or digits")},
		{"tmk", "-", func(c *loading, v string) error { return c.key(&c.TMK, v, 16) }},
		{"storage_key", "", func(c *loading, v string) error { return c.key(&c.Storage, v, 32) }},
		{"tpdu", "6000030000", func(c *loading, v string) error { return fixedHex(c.TPDU[:], v) }},
		{"header", "613100310000", func(c *loading, v string) error { return fixedHex(c.Header[:], v) }},
		{"switch", "-", text(func(c *loading) *string { return &c.Address }, hasPort, "must be host:port")},
		{"private_line", "false", func(c *loading, v string) error { return truth(&c.PrivateLine, v) }},
		{"tls.ca_file", "", func(c *loading, v string) error { c.CA = c.path(v); return nil }},
		{"tls.server_name", "", text(func(c *loading) *string { return &c.ServerName }, some, "must not be empty")},
		{"tls.cert_file", "", func(c *loading, v string) error { c.Certificate = c.path(v); return nil }},
		{"tls.key_file", "", func(c *loading, v string) error { c.PrivateKey = c.path(v); return nil }},
		{"reader", "-", func(c *loading, v string) error { c.Port = c.path(v); return nil }},
		{"baud", "115200", func(c *loading, v string) error { return whole(&c.Baud, v, 9600, 1288000) }},
		{"timeouts.answer_ms", "5000", func(c *loading, v string) error { return millis(&c.Answer, v) }},
		{"timeouts.connect_ms", "3000", func(c *loading, v string) error { return millis(&c.Connect, v) }},
		{"timeouts.card_ms", "10000", func(c *loading, v string) error { return millis(&c.CardWait, v) }},
		{"timeouts.pin_ms", "30000", func(c *loading, v string) error { return millis(&c.PINWait, v) }},
		{"reversal_tries", "2", func(c *loading, v string) error { return whole(&c.Tries, v, 1, 10) }},
		{"batch", "000001", text(func(c *loading) *string { return &c.Batch }, digitsOnly(6), "must be 6 digits, in quotes")},
		{"currency", "156", func(c *loading, v string) error { return whole(&c.Currency, v, 1, 999) }},
		{"country", "156", func(c *loading, v string) error { return whole(&c.Country, v, 1, 999) }},
		{"limits.cvm_minor", "100000", func(c *loading, v string) error { return whole(&c.CVMLimit, v, 0, int64(money.Max)) }},
		{"limits.contactless_minor", "5000000", func(c *loading, v string) error { return whole(&c.ContactlessLimit, v, 1, int64(money.Max)) }},
		{"limits.offline_minor", "0", func(c *loading, v string) error { return whole(&c.Offline.Amount, v, 0, int64(money.Max)) }},
		{"limits.offline_count", "0", func(c *loading, v string) error { return whole(&c.Offline.Count, v, 0, 999) }},
		{"limits.offline_sum_minor", "0", func(c *loading, v string) error { return whole(&c.Offline.Sum, v, 0, int64(money.Max)) }},
		{"partial_approval", "false", func(c *loading, v string) error { return truth(&c.Part, v) }},
		{"ca_keys", "", func(c *loading, v string) error { return c.authorities(v) }},
		{"state", "-", func(c *loading, v string) error { c.StateDir = c.path(v); return nil }},
		{"log", "-", func(c *loading, v string) error { c.Log = c.path(v); return nil }},
	}
}

// Load reads and checks the file at path. Relative paths in it are relative to
// its folder. The error names every mistake, each with its line.
func Load(path string, from Source) (Config, error) {
	raw, err := from.ReadFile(path)
	if err != nil {
		return Config{}, fmt.Errorf("pos: read the configuration %s: %w; give the right path with --config", path, err)
	}
	values, err := flatten(path, raw)
	if err != nil {
		return Config{}, err
	}
	c := &loading{folder: filepath.Dir(path), from: from}
	var all []error
	for _, e := range entries() {
		v, given := values[e.path]
		delete(values, e.path)
		if !given {
			if v.text = e.def; e.def == "" {
				continue
			}
		}
		if v.text == "-" && !given {
			all = append(all, fmt.Errorf("%s: %s is missing", path, e.path))
			continue
		}
		if err := e.take(c, v.text); err != nil {
			all = append(all, fmt.Errorf("%s:%d:%d: %s: %w", path, v.line, v.column, e.path, err))
		}
	}
	all = append(all, unknown(path, values)...)
	if c.PrivateLine == (c.CA != "") && len(all) == 0 {
		all = append(all, fmt.Errorf("%s: give either tls.ca_file, or private_line: true for plain TCP on a line that nobody else can reach", path))
	}
	if (c.Certificate == "") != (c.PrivateKey == "") {
		all = append(all, fmt.Errorf("%s: tls: cert_file and key_file go together", path))
	}
	return c.Config, errors.Join(all...)
}

func (c *loading) path(v string) string {
	if v == "" || filepath.IsAbs(v) {
		return v
	}
	return filepath.Join(c.folder, v)
}

// key takes a secret, which the file may only refer to.
func (c *loading) key(to *secret.Key, v string, size int) error {
	var text string
	switch {
	case strings.HasPrefix(v, "${file:") && strings.HasSuffix(v, "}"):
		raw, err := c.from.ReadFile(c.path(v[len("${file:") : len(v)-1]))
		if err != nil {
			return fmt.Errorf("cannot be read: %w", err)
		}
		text = string(raw)
		clear(raw)
	case strings.HasPrefix(v, "${env:") && strings.HasSuffix(v, "}"):
		var ok bool
		if text, ok = c.from.LookupEnv(v[len("${env:") : len(v)-1]); !ok {
			return errors.New("the environment variable is not set")
		}
	default:
		return errors.New("a secret does not stand in the file: write ${file:…} or ${env:…}")
	}
	raw, err := hex.DecodeString(strings.TrimSpace(text))
	defer clear(raw)
	if err != nil || len(raw) != size {
		return fmt.Errorf("must be %d hex digits", 2*size)
	}
	k, err := secret.NewKey(raw)
	*to = k
	return err
}
