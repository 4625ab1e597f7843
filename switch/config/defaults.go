// SPDX-License-Identifier: Apache-2.0

package config

import "time"

// defaults sets every default of a section; it is called before the section's
// own values are read. What is not here starts as zero or must be given.
func defaults(section any) {
	switch s := section.(type) {
	case *Config:
		s.Environment = "test"
	case *Node:
		s.Name, s.Drain = "tapswitch", 5*time.Second
	case *Listener:
		s.Dialect = "unionpaypos"
		s.MaxConnections, s.InFlightPerConnection = 1000, 4
		s.Idle, s.Message = time.Minute, 5*time.Second
	case *Payment:
		s.Deadline, s.MaxInFlight = 4*time.Second, 256
		s.ReplayWindow, s.PINTries, s.Counters = 24*time.Hour, 3, 1_000_000
	case *Settlement:
		s.MACRequired, s.Remember = true, 1_000_000
	case *Journal:
		s.Dir, s.Queue = "journal", 1024
		s.SegmentBytes, s.MaxBytes = 16<<20, 1<<30
	case *Postgres:
		s.Timeout, s.Resolve = 2*time.Second, 5*time.Second
	case *History:
		s.Store, s.Schema, s.Timeout = "sqlite", "tapswitch_history", 5*time.Second
	case *HSM:
		s.Sessions, s.Timeout, s.Keystore = 8, 800*time.Millisecond, "keystore"
	case *Link:
		s.Dialect, s.Connections, s.MaxInFlight = "iso87ascii", 1, 256
		s.Timeout, s.Echo, s.SignOn = 2*time.Second, 10*time.Second, 2*time.Second
		s.TipPercent = 20
		s.SAFWindow, s.SAFRate, s.SAFRamp = 8, 100, 10*time.Second
		s.MerchantType, s.Unanswered = "5999", "case"
		s.HoldDays, s.CompletionPercent = 30, 115 // UnionPay's practice
	case *Issuer:
		s.Option, s.CSU = "a", "00820000" // approved, offline counters to zero (EMV CCD)
	case *Terminal:
		s.Status = "active"
	case *Reversal:
		s.Retry, s.MaxRetry, s.MaxAge = time.Second, 30*time.Second, 72*time.Hour // three days: a long weekend
	case *Observe:
		s.Address, s.Log, s.LogLevel = "127.0.0.1:9100", "stderr", "info"
	case *Admin:
		s.Socket = "tapswitch.sock"
	case *PAN:
		s.Seal, s.Token = "store/pan-seal", "store/pan-token"
	}
}
