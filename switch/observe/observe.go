// SPDX-License-Identifier: Apache-2.0

// Package observe is what operators see of the switch: metrics, one wide event
// per payment, a log, and whether it is healthy and ready.
//
// Promise: nothing here delays a payment: a count is an addition, an event is
// copied into a bounded ring and encoded elsewhere; when the ring is full the
// event is dropped, counted, and the log says so. Label values come from closed
// sets given at start; an unknown value counts as "other" and is never shown.
// No card number reaches the log, whatever a caller passes.
//
// How: Payment derives counters and the event from one struct, so log and
// metric cannot disagree. run.go has the two goroutines, the encoder of events
// and the HTTP server; the registry belongs to this value, there is no global one.
//
// Imported by: node. Imports: internal/money, github.com/prometheus/client_golang.
package observe

import (
	"io"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tapswitch/internal/money"
)

// Sets are the closed sets of label values. Each gets "other" besides.
type Sets struct {
	Classes    []string // purchase, reversal, sign_on …
	Outcomes   []string // approved, declined, refused, reversed …
	Reasons    []string // every reason that an answer can have; "" is "none"
	States     []string // of a payment
	Events     []string // that move a payment
	Refusals   []string // why a listener refused a connection or a message
	Links      []string // names of the acquirer links
	Exchanges  []string // how an exchange on a link can end
	LinkEvents []string // what else a link counts
	Attempts   []string // how a delivery of a reversal can end
	Cases      []string // why a case can be opened
	Operations []string // what is asked of the HSM
	Tokens     []string // of the HSM's failover group; none without one
	Results    []string // how a call of the HSM or of the journal can end
}

// Options is what a new Observer is made from.
type Options struct {
	Sets    Sets
	Version string     // of the program, for tapswitch_build_info
	Log     io.Writer  // where the log goes, one JSON object a line
	Level   slog.Level // events are logged at info
	Ring    int        // events waiting to be encoded; 0 means 4096
}

// ringDefault holds two seconds of events at 2,000 payments a second.
const ringDefault = 4096

// Observer is the observability of one switch. Its metrics are always usable;
// events are written once Run is called.
type Observer struct {
	*Metrics

	log  *slog.Logger
	sink slog.Handler
	ring *ring
}

// New makes an Observer with a registry of its own.
func New(o Options) *Observer {
	if o.Ring <= 0 {
		o.Ring = ringDefault
	}
	m := NewMetrics(o.Sets, o.Version)
	sink := newHandler(o.Log, o.Level)
	return &Observer{
		Metrics: m,
		log:     slog.New(newLimiter(sink)),
		sink:    sink,
		ring:    newRing(o.Ring),
	}
}

// Log is the logger for everything that is not a payment. A warning that
// repeats is written once per repeatPause, with the number of those left out.
func (o *Observer) Log() *slog.Logger { return o.log }

// Step is one stage of a payment and the time it took.
type Step struct {
	Name string // a constant of the flow
	Took time.Duration
}

// Event is what one payment came to. It must not hold slices of a message: the
// strings outlive the call. Terminal and Merchant are those of the fleet, not of the
// message, so that nobody outside chooses what is written.
type Event struct {
	At       time.Time
	Class    string // of Sets.Classes
	Outcome  string // of Sets.Outcomes
	Reason   string // of Sets.Reasons, "" when approved
	Code     string // field 39
	Terminal string
	Merchant string
	Batch    uint32
	Trace    uint32 // the terminal's number
	STAN     uint32 // ours towards the acquirer
	RRN      string
	Card     string // masked: first six and last four
	Amount   money.Amount
	Link     string // of Sets.Links, "" when not routed
	Issuer   string // on-us: whose card
	PIN      bool   // a PIN was given
	Chip     bool   // chip data was given
	Repeat   bool   // told before
	Steps    []Step // belongs to the Observer after the call
	HSM      time.Duration
	Journal  time.Duration
	Acquirer time.Duration
	Total    time.Duration
}

// Payment counts a payment and queues its event. It never blocks.
func (o *Observer) Payment(e Event) {
	o.countPayment(e)
	if !o.ring.put(e) {
		o.eventsDropped.Inc()
	}
}

// Registry is where other parts of one process may add collectors of their own.
func (o *Observer) Registry() *prometheus.Registry { return o.registry }
