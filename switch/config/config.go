// SPDX-License-Identifier: Apache-2.0

// Package config turns the one configuration file into a checked struct.
//
// Promise: a file that loads has no unknown key, no value out of its bounds, no
// two values that contradict each other and no secret in it; a file that does
// not load is told all its mistakes at once, each with its place, the reason and
// what to do. No error and no explanation ever shows the value of a secret.
//
// How: the YAML node tree keeps line and column. decode.go walks it along the
// struct tags below (key, help, bounds), relations.go compares values with each
// other, defaults.go has every default. The machine's files and environment
// come in as functions.
//
// Imported by: node, cmd. Imports: internal/{secret,env}, iso8583 and its
// dialects, go.yaml.in/yaml/v3.
package config

import (
	"regexp"
	"time"

	"tapswitch/internal/secret"
	"tapswitch/iso8583"
)

// Config is the whole configuration. Struct tags are the schema:
//
//	key   name in the file; *_ms fields are whole milliseconds
//	need  "yes": no default, must be given
//	min, max, of   bounds, or the closed set of words
//	kind  address, path, log, name, key, text, secret, or part, digits or hex with a length ("digits 6-11")
//	help  one line for `config explain`
type Config struct {
	Version     int        `key:"version" need:"yes" min:"1" max:"1" help:"version of this file's form"`
	Environment string     `key:"environment" of:"test production" help:"production refuses what is only good for tests"`
	Node        Node       `key:"node" help:"the process"`
	Listeners   []Listener `key:"listeners" need:"yes" max:"64" help:"where terminals connect"`
	Payment     Payment    `key:"payment" help:"bounds of one payment and of all together"`
	Settlement  Settlement `key:"settlement" help:"how terminals close their batches"`
	Journal     Journal    `key:"journal" help:"the durable memory"`
	History     History    `key:"history" help:"the searchable past of payments, written behind the journal"`
	HSM         HSM        `key:"hsm" need:"yes" help:"the security module and the keys at rest"`
	Links       []Link     `key:"links" need:"yes" max:"256" help:"sessions with acquirers"`
	Issuers     []Issuer   `key:"issuers" max:"256" help:"issuers whose cards are checked here"`
	BINs        []BIN      `key:"bins" max:"65536" help:"card number ranges and where they go"`
	StandIn     StandIn    `key:"stand_in" help:"decisions in the place of issuers that cannot be reached; off unless enabled"`
	Terminals   []Terminal `key:"terminals" max:"65536" help:"terminals that may speak to us"`
	Reversal    Reversal   `key:"reversal" help:"how reversals are repeated until acknowledged"`
	Observe     Observe    `key:"observe" help:"metrics, health and the log"`
	Admin       Admin      `key:"admin" help:"the operator's port of the running switch"`
	PAN         PAN        `key:"pan" help:"card numbers at rest"`
	ISO         ISO        `key:"iso" help:"message formats besides the shipped ones"`

	file    string
	entries []Entry
}

// Node is the process itself.
type Node struct {
	Name  string        `key:"name" kind:"name" help:"this process in logs and metrics"`
	Drain time.Duration `key:"drain_ms" min:"0" max:"600000" help:"how long payments in flight may finish at stop"`
}

// Listener is an address where terminals connect.
type Listener struct {
	Name                  string        `key:"name" need:"yes" kind:"name" help:"name in logs and metrics"`
	Address               string        `key:"address" need:"yes" kind:"address" help:"host:port"`
	Dialect               string        `key:"dialect" of:"unionpaypos" help:"message format"`
	PrivateLine           bool          `key:"private_line" help:"true: plain TCP, on a line that nobody else can reach"`
	MaxConnections        int           `key:"max_connections" min:"1" max:"1000000" help:"connections at the same time"`
	Idle                  time.Duration `key:"idle_ms" min:"1000" max:"86400000" help:"a connection without a message is closed after this"`
	Message               time.Duration `key:"message_ms" min:"100" max:"60000" help:"a message must be complete this long after its first byte"`
	InFlightPerConnection int           `key:"in_flight_per_connection" min:"1" max:"64" help:"messages worked on at the same time for one connection"`
}

// Payment bounds one payment, and all of them together.
type Payment struct {
	Deadline     time.Duration `key:"deadline_ms" min:"200" max:"120000" help:"from the first byte of the request to the last moment for a yes"`
	MaxInFlight  int           `key:"max_in_flight" min:"1" max:"100000" help:"payments at the same time; one more is refused at once"`
	ReplayWindow time.Duration `key:"replay_window_ms" min:"60000" max:"2678400000" help:"how long the same message gets the same answer"`
	PINTries     int           `key:"pin_tries" min:"1" max:"10" help:"wrong PINs before the card's PIN is blocked here"`
	Counters     int           `key:"counters" min:"1" max:"100000000" help:"cards whose transaction counters are known, about 100 bytes each; one more is refused"`
}

// Settlement is how terminals close their batches.
type Settlement struct {
	MACRequired bool `key:"mac_required" help:"false: totals, batch uploads and their end may come without field 64, as some terminals send them, and are answered without; one that has it is verified all the same"`
	Remember    int  `key:"remember" min:"0" max:"2000000" help:"a payment is remembered beyond payment.replay_window_ms until its batch is closed, while there are no more than so many, an advice or a refund in any case; about 1 KiB each"`
}

// Journal is the durable memory.
type Journal struct {
	Dir          string `key:"dir" kind:"path" help:"folder of the segment files"`
	SegmentBytes int64  `key:"segment_bytes" min:"65536" max:"1073741824" help:"size of one segment file, allocated at once"`
	MaxBytes     int64  `key:"max_bytes" min:"131072" max:"17592186044416" help:"room of all segments; beyond it new payments are refused"`
	Queue        int    `key:"queue" min:"1" max:"65536" help:"records waiting to be written; one more is refused at once"`
	Retention    int    `key:"retention_days" min:"0" max:"36500" help:"a payment that is over may leave the journal this many days after; 0 keeps everything"`

	Postgres Postgres `key:"postgres" help:"set: the journal is in PostgreSQL, not in segment files"`
}

// Postgres is a journal in PostgreSQL. Of the journal's other settings only
// max_bytes and queue go for it.
type Postgres struct {
	URL     secret.Key    `key:"url" kind:"secret url" help:"postgres://user:password@host:port/database, with ?search_path= for a schema of its own"`
	Timeout time.Duration `key:"timeout_ms" min:"50" max:"60000" help:"one statement, and one connection"`
	Resolve time.Duration `key:"resolve_ms" min:"50" max:"600000" help:"how long a server that is gone in the middle of a batch is tried again before the switch stops"`
}

// InUse says whether the journal is in PostgreSQL.
func (p Postgres) InUse() bool { return !p.URL.IsZero() }

// History is the searchable past of payments; without a path or a url there is none.
type History struct {
	Path    string        `key:"path" kind:"path" help:"file of the history, of store sqlite; empty: no history is kept"`
	Store   string        `key:"store" of:"sqlite postgres" help:"what keeps it: a file, or a schema of a PostgreSQL database"`
	URL     secret.Key    `key:"url" kind:"secret url" help:"of store postgres: postgres://user:password@host:port/database"`
	Schema  string        `key:"schema" kind:"name" help:"of store postgres: its own schema; one for each switch that shares the database"`
	Timeout time.Duration `key:"timeout_ms" min:"50" max:"60000" help:"of store postgres: one connection, and one batch"`
}

// InUse says whether a history is kept.
func (h History) InUse() bool { return h.Path != "" || h.InDatabase() }

// InDatabase says whether it is kept in PostgreSQL.
func (h History) InDatabase() bool { return !h.URL.IsZero() }

// HSM is the security module and the keystore.
type HSM struct {
	Module                string        `key:"module" need:"yes" kind:"path" help:"the vendor's PKCS#11 library"`
	Token                 string        `key:"token" need:"yes" kind:"text" help:"label of the token"`
	UserPIN               secret.Key    `key:"user_pin" need:"yes" kind:"secret" help:"user PIN of the token"`
	Sessions              int           `key:"sessions" min:"1" max:"1024" help:"sessions open at the same time"`
	Timeout               time.Duration `key:"timeout_ms" min:"10" max:"1000" help:"one call of the module; past it the payment is refused"`
	Keystore              string        `key:"keystore" kind:"path" help:"folder of the wrapped keys"`
	SoftHSMConf           string        `key:"softhsm_conf" kind:"path" help:"configuration file of SoftHSM; tests only"`
	Members               []HSMMember   `key:"members" max:"7" help:"further tokens with the same local master keys: a failover group with the token above, in the order in which they are asked"`
	AcceptPINInHostMemory bool          `key:"accept_pin_in_host_memory" help:"production: accept that plain PKCS#11 has the clear PIN in locked host memory for microseconds"`
}

// HSMMember is a further token of the failover group.
type HSMMember struct {
	Module  string     `key:"module" need:"yes" kind:"path" help:"the vendor's PKCS#11 library; by the same path as above when it is the same"`
	Token   string     `key:"token" need:"yes" kind:"text" help:"label of the token"`
	UserPIN secret.Key `key:"user_pin" need:"yes" kind:"secret" help:"user PIN of the token"`
}

// Link is a session with an acquirer.
type Link struct {
	Name         string        `key:"name" need:"yes" kind:"name" help:"name in rules, logs and metrics"`
	Dialect      string        `key:"dialect" of:"iso87ascii iso87bin iso93ascii iso93bin unionpayinterchange" help:"message format"`
	Addresses    []string      `key:"addresses" need:"yes" max:"8" kind:"address" help:"the acquirer's hosts, tried in order"`
	Institution  string        `key:"institution" need:"yes" kind:"digits 1-11" help:"our institution code at this acquirer (field 32)"`
	Destination  string        `key:"destination" kind:"digits 1-11" help:"unionpayinterchange: the other side's institution, in the header"`
	Connections  int           `key:"connections" min:"1" max:"16" help:"connections at the same time"`
	Timeout      time.Duration `key:"timeout_ms" min:"50" max:"60000" help:"how long an answer may take"`
	Echo         time.Duration `key:"echo_ms" min:"100" max:"3600000" help:"an echo is sent after this much silence"`
	SignOn       time.Duration `key:"sign_on_ms" min:"50" max:"60000" help:"how long the answer to a sign-on may take"`
	MaxInFlight  int           `key:"max_in_flight" min:"1" max:"65536" help:"requests without an answer; one more is refused at once"`
	SAFWindow    int           `key:"saf_window" min:"1" max:"256" help:"reversals that wait for this link are sent so many at the same time; those of one original one after the other"`
	SAFRate      int           `key:"saf_per_second" min:"0" max:"100000" help:"and so many a second at most; 0: no bound but the window"`
	SAFRamp      time.Duration `key:"saf_ramp_ms" min:"0" max:"3600000" help:"after the link was down the rate grows from a tenth to the whole in this time"`
	ZPK          string        `key:"zpk" need:"yes" kind:"key" help:"zone PIN key"`
	ZAK          string        `key:"zak" need:"yes" kind:"key" help:"zone MAC key"`
	TipPercent   int           `key:"tip_percent" min:"0" max:"100" help:"above what was approved, that a tip or an adjustment may bring a sale to; 0: adjustments may only lower it"`
	Cashback     int64         `key:"cashback_minor" min:"0" max:"999999999999" help:"cash that one purchase may bring with it at this acquirer, in minor units; 0: none"`
	PartApproval string        `key:"partial_approval" kind:"part" help:"where and how the acquirer is told that a terminal takes an approval of a part of the amount, such as 60=1; empty: it approves the whole or nothing"`
	Unanswered   string        `key:"refund_unanswered" of:"case reverse" help:"what becomes of a refund without a usable answer: a case for a person, or a reversal, where the acquirer takes reversals of refunds"`
	MerchantType string        `key:"merchant_type" kind:"digits 4" help:"merchant type sent when the terminal has none (field 18)"`
	HoldDays     int           `key:"hold_days" min:"1" max:"365" help:"a pre-authorization can be completed for so many days"`

	CompletionPercent int `key:"completion_percent" min:"1" max:"200" help:"of a pre-authorization, the most that its completion may take"`
}

// Issuer holds the keys of an issuer whose cards are checked here.
type Issuer struct {
	Name      string `key:"name" need:"yes" kind:"name" help:"bins refer to it"`
	Profile   string `key:"profile" need:"yes" of:"visa_cvn10 visa_cvn17 visa_cvn18 visa_cvn22 mchip_cvn16 mchip_cvn17 mchip_cvn20 mchip_cvn21 unionpay_cvn01 unionpay_pboc interac_cvn133 ccd" help:"how its cards make cryptograms; numbers are decimal"`
	Option    string `key:"mk_option" of:"a b" help:"EMV option of card keys: b hashes card numbers above 16 digits"`
	ARC       string `key:"arc" kind:"hex 4" help:"code of an approval in an answer by method 1; empty: the response code's two characters. M/Chip cards want their own, such as 0010"`
	CSU       string `key:"csu" kind:"hex 8" help:"card status update of an approval in an answer by method 2"`
	IMK       string `key:"imk" need:"yes" kind:"key" help:"issuer master key for cryptograms"`
	PVK       string `key:"pvk" kind:"key" help:"PIN verification key; empty: PINs go to the link"`
	ATCAhead  int    `key:"atc_ahead" min:"0" max:"65535" help:"how far a card's transaction counter may be above its highest one known; 0: the counter is not looked at"`
	ATCBehind int    `key:"atc_behind" min:"0" max:"63" help:"how far below, when it was not used itself"`
}

// BIN is a range of card numbers by their first digits, and where they go.
type BIN struct {
	Low     string   `key:"low" need:"yes" kind:"digits 6-11" help:"first range, its first digits"`
	High    string   `key:"high" need:"yes" kind:"digits 6-11" help:"last range, as many digits as low"`
	Scheme  string   `key:"scheme" need:"yes" of:"unionpay visa mastercard amex discover jcb other" help:"card scheme"`
	Links   []string `key:"links" need:"yes" max:"8" kind:"name" help:"links in order of preference; what one surely has not sent goes to the next"`
	Issuer  string   `key:"issuer" kind:"name" help:"set for cards that are checked here"`
	StandIn string   `key:"stand_in" kind:"name" help:"mandate by which a payment that cannot be sent is decided here"`
}

// Terminal is a point of sale that may speak to us.
type Terminal struct {
	ID           string `key:"id" need:"yes" kind:"letters 8" help:"terminal number (field 41)"`
	Merchant     string `key:"merchant" need:"yes" kind:"letters 15" help:"merchant number (field 42)"`
	TMK          string `key:"tmk" need:"yes" kind:"key" help:"terminal master key"`
	Status       string `key:"status" of:"active blocked" help:"blocked terminals are refused"`
	Cashback     int64  `key:"cashback_minor" min:"0" max:"999999999999" help:"cash that it may hand out with one purchase, in minor units; 0: none"`
	MerchantType string `key:"merchant_type" kind:"digits 4" help:"type of the merchant (ISO 18245, field 18); empty: the link's"`

	Offline Offline `key:"offline" help:"what it may sell without asking, by an authorization given by word of mouth; what is over a limit has happened, and is kept from the acquirer until an operator lets it go"`
}

// Reversal says how reversals are repeated.
type Reversal struct {
	Retry    time.Duration `key:"retry_ms" min:"50" max:"3600000" help:"first pause before a reversal is sent again"`
	MaxRetry time.Duration `key:"max_retry_ms" min:"50" max:"86400000" help:"longest pause"`
	MaxAge   time.Duration `key:"max_age_ms" min:"3600000" max:"7776000000" help:"a reversal without acknowledgement for this long is sent once more, then no more, and a case for a person is opened"`
}

// Observe is what operators see.
type Observe struct {
	Address  string `key:"address" kind:"address" help:"host:port of /metrics, /healthz and /readyz"`
	Log      string `key:"log" kind:"log" help:"stderr, stdout, or a file"`
	LogLevel string `key:"log_level" of:"debug info warn error" help:"info is one line per payment"`
}

// Admin is where operators act on a running switch.
type Admin struct {
	Socket string `key:"socket" kind:"path" help:"socket in the file system that tapswitch txn saf and cases close ask; only the user of the switch may connect (mode 0600), 107 bytes of path at most; empty: no port"`
}

// PAN names the keys that protect card numbers at rest.
type PAN struct {
	Seal  string `key:"seal" kind:"key" help:"key that enciphers card numbers"`
	Token string `key:"token" kind:"key" help:"key of the search token"`
}

// ISO is message formats besides the shipped ones.
type ISO struct {
	Dialects []Dialect `key:"dialects" max:"64" help:"dialects read from files, for the tools; links and listeners speak the shipped ones"`
}

// Dialect is a dialect read from a specification file.
type Dialect struct {
	Name  string `key:"name" need:"yes" kind:"name" help:"its name in the tools"`
	Spec  string `key:"spec" need:"yes" kind:"path" help:"moov-io/iso8583 specification (.json, .yaml) or jPOS generic packager (.xml)"`
	Marks []Mark `key:"marks" max:"192" help:"what its fields mean to those who print them; well-known fields are marked already"`

	layout *iso8583.Layout
}

// Layout is the compiled dialect.
func (d Dialect) Layout() *iso8583.Layout { return d.layout }

// Mark says what one field of a dialect means.
type Mark struct {
	Field int    `key:"field" need:"yes" min:"2" max:"192" help:"field number"`
	Mark  string `key:"mark" need:"yes" of:"none pan track pin_block icc mac key sensitive" help:"what it holds; all but none and mac are hidden or masked"`
}

// Source is what loading needs of the machine; cmd passes os.ReadFile and os.LookupEnv.
type Source struct {
	ReadFile  func(name string) ([]byte, error)
	LookupEnv func(name string) (string, bool)
}

// Load reads, checks and completes the file at path. Relative paths in it are
// relative to its folder. The error is Problems when the content is at fault.
func Load(path string, from Source) (*Config, error) {
	return load(path, from, true)
}

// Check is Load without opening the secrets, for machines that do not have them.
func Check(path string, from Source) error {
	_, err := load(path, from, false)
	return err
}

// Read is Load without opening the secrets, which stay empty: for commands that
// need none.
func Read(path string, from Source) (*Config, error) {
	return load(path, from, false)
}

// File is the path the configuration was loaded from.
func (c *Config) File() string { return c.file }

// HoldsLast is how long a pre-authorization must be remembered from its request on:
// as long as the most patient link has it completed, and some time more in which the
// refusal of what comes too late has its own name.
func (c *Config) HoldsLast() (longest time.Duration) {
	for i := range c.Links {
		longest = max(longest, time.Duration(c.Links[i].HoldDays)*24*time.Hour)
	}
	return longest + c.Payment.ReplayWindow
}

func load(path string, from Source, secrets bool) (*Config, error) {
	b, err := from.ReadFile(path)
	if err != nil {
		return nil, Problems{{Code: Unreadable, File: path, Message: "the configuration file cannot be read",
			Why: err.Error(), Fix: "give the right path, or let this user read the file"}}
	}
	d := &decoder{file: path, from: from, openSecrets: secrets, bad: map[string]bool{}, at: map[string]place{}, forms: map[string]*regexp.Regexp{}}
	c := &Config{file: path}
	d.decode(b, c)
	if d.structured {
		d.relate(c)
	}
	if len(d.problems) > 0 {
		return nil, d.problems.sorted()
	}
	c.entries = d.entries
	return c, nil
}
