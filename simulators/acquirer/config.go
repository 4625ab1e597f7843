// SPDX-License-Identifier: Apache-2.0

package acquirer

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"time"

	"go.yaml.in/yaml/v3"

	"tapswitch/internal/money"
	"tapswitch/internal/secret"
)

// Bounds of a configuration.
const (
	maxConfigBytes     = 4 << 20
	defaultConnections = 64
	maxConnections     = 1024
)

// Where a sign-on counts.
const (
	SignOnConnection = "connection" // each connection signs on for itself
	SignOnHost       = "host"       // one sign-on opens all connections
)

// Config describes one host. It is written as YAML or JSON; unknown keys are
// errors. Keys, card numbers and PINs are published test data only.
type Config struct {
	Version     int      `yaml:"version"`     // 1
	Name        string   `yaml:"name"`        // shown in events
	Listen      string   `yaml:"listen"`      // host:port; port 0 takes a free one
	Books       string   `yaml:"books"`       // path of the books, JSON lines
	Institution string   `yaml:"institution"` // field 32 that requests must carry
	Currency    string   `yaml:"currency"`    // ISO 4217 number, default 156
	SignOn      string   `yaml:"sign_on"`     // connection (default) or host
	Mood        string   `yaml:"mood"`        // mood at start, default normal
	Connections int      `yaml:"connections"` // most at once, default 64
	Keys        Keys     `yaml:"keys"`
	Issuers     []Issuer `yaml:"issuers"`

	CompletionPercent int `yaml:"completion_percent"` // of a pre-authorization, the most that its completion may take; default 115
	HoldDays          int `yaml:"hold_days"`          // for which it can be completed; default 30

	Accounts []Account `yaml:"accounts"`

	// For use in process.
	Now     func() time.Time `yaml:"-"` // default time.Now
	OnEvent func(Event)      `yaml:"-"` // called from several goroutines
}

// Keys are the zone's keys, 16 bytes each, in hex.
type Keys struct {
	ZPK Key `yaml:"zpk"` // PIN blocks in field 52
	ZAK Key `yaml:"zak"` // MACs in field 64 or 128
	PVK Key `yaml:"pvk"` // PIN verification values; needed for accounts with pvv
}

// Issuer says how cards of a prefix make their cryptograms. The longest prefix
// that fits decides; a card without one is authorised without this check.
type Issuer struct {
	Prefix   string  `yaml:"prefix"`
	Profile  Profile `yaml:"profile"`
	IMK      Key     `yaml:"imk"`
	MKOption string  `yaml:"mk_option"` // a (default) or b, EMV Book 2 A1.4
}

// Account is one card account.
type Account struct {
	ID           string           `yaml:"id"` // its name in the books
	PAN          PAN              `yaml:"pan"`
	PIN          PIN              `yaml:"pin"`
	PVV          string           `yaml:"pvv"`  // instead of pin
	PVKI         string           `yaml:"pvki"` // key index of pvv
	BalanceMinor money.MinorUnits `yaml:"balance_minor"`
	Status       string           `yaml:"status"` // active (default) or blocked
	Script       string           `yaml:"script"` // a command in hex for its card, with every approval until a result says that it was carried out
}

// Key is a double-length test key. It prints as hidden; a value that is not 32
// hex digits is reported by Validate.
type Key struct {
	secret.Key
	bad bool
}

// NewKey reads 32 hex digits.
func NewKey(digits string) Key {
	var k Key
	_ = k.UnmarshalText([]byte(digits)) // never fails: Validate reports
	return k
}

// UnmarshalText reads 32 hex digits.
func (k *Key) UnmarshalText(b []byte) error {
	raw, err := hex.DecodeString(string(b))
	k.bad = err != nil || len(raw) != keySize
	if !k.bad {
		k.Key, err = secret.NewKey(raw)
		k.bad = err != nil
	}
	return nil
}

func (k Key) raw() []byte { return k.AppendTo(nil, secret.ForTest) }

// PAN is a card number of 13 to 19 digits; it prints masked.
type PAN struct {
	secret.PAN
	bad bool
}

// NewPAN reads a card number.
func NewPAN(digits string) PAN {
	var p PAN
	_ = p.UnmarshalText([]byte(digits)) // never fails: Validate reports
	return p
}

// UnmarshalText reads a card number.
func (p *PAN) UnmarshalText(b []byte) error {
	var err error
	p.PAN, err = secret.NewPAN(b)
	p.bad = err != nil || len(b) < 13
	return nil
}

// PIN is an account's PIN of 4 to 12 digits; it prints as hidden.
type PIN struct {
	secret.Key
	bad bool
}

// NewPIN reads a PIN.
func NewPIN(digits string) PIN {
	var p PIN
	_ = p.UnmarshalText([]byte(digits)) // never fails: Validate reports
	return p
}

// UnmarshalText reads a PIN.
func (p *PIN) UnmarshalText(b []byte) error {
	p.bad = len(b) < 4 || len(b) > 12 || !isDigits(string(b))
	if !p.bad {
		p.Key, _ = secret.NewKey(b) // fails above 32 bytes only
	}
	return nil
}

// LoadConfig reads and validates a file.
func LoadConfig(path string) (Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return Config{}, fmt.Errorf("acquirer: configuration: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxConfigBytes+1))
	if err != nil {
		return Config{}, fmt.Errorf("acquirer: configuration %s: %w", path, err)
	}
	if len(b) > maxConfigBytes {
		return Config{}, fmt.Errorf("acquirer: configuration %s: more than %d bytes; is this the right file?", path, maxConfigBytes)
	}
	cfg, err := ParseConfig(b)
	if err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	return cfg, nil
}

// ParseConfig reads YAML, or JSON, fills defaults in and validates.
func ParseConfig(b []byte) (Config, error) {
	var cfg Config
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	if err := d.Decode(&cfg); err != nil {
		return Config{}, fmt.Errorf("acquirer: configuration: %s", withoutValues(err))
	}
	if err := d.Decode(new(any)); !errors.Is(err, io.EOF) {
		return Config{}, errors.New("acquirer: configuration: more than one document; keep one per file")
	}
	cfg = cfg.withDefaults()
	return cfg, cfg.Validate()
}

// withoutValues drops the values that the YAML library quotes: one of them may
// be a key that stands in the wrong place.
func withoutValues(err error) string {
	return regexp.MustCompile("`[^`]*`").ReplaceAllString(err.Error(), "the value")
}

func (c Config) withDefaults() Config {
	set := func(s *string, v string) {
		if *s == "" {
			*s = v
		}
	}
	set(&c.Currency, "156")
	set(&c.SignOn, SignOnConnection)
	set(&c.Mood, MoodNormal)
	if c.Connections == 0 {
		c.Connections = defaultConnections
	}
	if c.CompletionPercent == 0 {
		c.CompletionPercent = defaultPercent
	}
	if c.HoldDays == 0 {
		c.HoldDays = defaultHoldDays
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.OnEvent == nil {
		c.OnEvent = func(Event) {}
	}
	c.Issuers = append([]Issuer(nil), c.Issuers...)
	for i := range c.Issuers {
		set(&c.Issuers[i].MKOption, "a")
	}
	c.Accounts = append([]Account(nil), c.Accounts...)
	for i := range c.Accounts {
		set(&c.Accounts[i].Status, StatusActive)
	}
	return c
}

// Validate reports every mistake at once, each with its path.
func (c Config) Validate() error {
	var all []error
	rule := func(ok bool, format string, args ...any) {
		if !ok {
			all = append(all, fmt.Errorf("acquirer: configuration: "+format, args...))
		}
	}
	rule(c.Version == 1, "version: want 1")
	rule(c.Books != "", "books: want the path of a file to keep")
	rule(c.Institution == "" || isDigits(c.Institution) && len(c.Institution) <= 11, "institution: want up to 11 digits, or nothing to accept any")
	rule(isDigits(c.Currency) && len(c.Currency) == 3, "currency: want three digits of ISO 4217, for example 156")
	rule(c.SignOn == SignOnConnection || c.SignOn == SignOnHost, "sign_on: want %s or %s", SignOnConnection, SignOnHost)
	rule(c.Connections > 0 && c.Connections <= maxConnections, "connections: want 1 to %d", maxConnections)
	if _, err := ParseMood(c.Mood); err != nil {
		all = append(all, err)
	}
	rule(!c.Keys.ZPK.bad && !c.Keys.ZPK.IsZero(), "keys.zpk: want 32 hex digits")
	rule(!c.Keys.ZAK.bad && !c.Keys.ZAK.IsZero(), "keys.zak: want 32 hex digits")
	rule(!c.Keys.PVK.bad, "keys.pvk: want 32 hex digits")
	c.validateHolds(rule)
	c.validateIssuers(rule)
	c.validateAccounts(rule)
	c.validateScripts(rule)
	return errors.Join(all...)
}

func (c Config) validateIssuers(rule func(bool, string, ...any)) {
	seen := map[string]bool{}
	for i, s := range c.Issuers {
		_, known := s.Profile.rules()
		rule(known, "issuers[%d].profile: want %s, %s or %s", i, UnionPayCVN01, VisaCVN10, VisaCVN18)
		rule(isDigits(s.Prefix) && len(s.Prefix) <= 19, "issuers[%d].prefix: want 1 to 19 digits", i)
		rule(!s.IMK.bad && !s.IMK.IsZero(), "issuers[%d].imk: want 32 hex digits", i)
		rule(s.MKOption == "a" || s.MKOption == "b", "issuers[%d].mk_option: want a or b", i)
		rule(!seen[s.Prefix], "issuers[%d].prefix: given twice", i)
		seen[s.Prefix] = true
	}
}

var accountID = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]{0,31}$`)

func (c Config) validateAccounts(rule func(bool, string, ...any)) {
	ids := map[string]bool{}
	for i, a := range c.Accounts {
		rule(accountID.MatchString(a.ID), "accounts[%d].id: want a letter, then up to 31 letters, digits or _.-", i)
		rule(!ids[a.ID], "accounts[%d].id: given twice", i)
		ids[a.ID] = true
		rule(!a.PAN.bad && !a.PAN.IsZero(), "accounts[%d].pan: want 13 to 19 digits", i)
		for _, b := range c.Accounts[:i] {
			rule(!a.PAN.Equal(b.PAN.PAN), "accounts[%d].pan: the card of account %s too", i, b.ID)
		}
		rule(!a.PIN.bad, "accounts[%d].pin: want 4 to 12 digits", i)
		rule(a.PIN.IsZero() != (a.PVV == ""), "accounts[%d]: want either pin or pvv", i)
		rule(a.PVV == "" || isDigits(a.PVV) && len(a.PVV) == 4, "accounts[%d].pvv: want four digits", i)
		rule(a.PVV == "" || isDigits(a.PVKI) && len(a.PVKI) == 1, "accounts[%d].pvki: want one digit beside pvv", i)
		rule(a.PVV == "" || !c.Keys.PVK.IsZero(), "keys.pvk: needed by accounts[%d].pvv", i)
		rule(a.BalanceMinor >= 0 && a.BalanceMinor <= money.Max, "accounts[%d].balance_minor: want 0 to %d", i, int64(money.Max))
		rule(a.Status == StatusActive || a.Status == StatusBlocked, "accounts[%d].status: want %s or %s", i, StatusActive, StatusBlocked)
	}
}
