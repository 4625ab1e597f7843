// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Metrics are the numbers of one switch, with every label set resolved at start.
type Metrics struct {
	registry *prometheus.Registry

	payments       *family // class, outcome, reason
	paymentSeconds []prometheus.Observer
	inFlight       prometheus.Gauge
	repeats        prometheus.Counter
	counters       prometheus.Gauge
	moves          *family // state, event

	connections prometheus.Gauge
	refused     *family // reason

	exchanges    *family // link, outcome
	linkSeconds  []prometheus.Observer
	linkUp       []prometheus.Gauge
	linkInFlight []prometheus.Gauge
	lateAnswers  *family // link
	linkEvents   *family // link, event

	hsmCalls   *family // operation, outcome
	hsmSeconds []prometheus.Observer
	hsmUp      prometheus.Gauge
	tokenUp    map[string]prometheus.Gauge // by token of the failover group
	passedOn   *family                     // token

	appends       *family // outcome
	appendSeconds prometheus.Histogram
	journalUsed   prometheus.Gauge
	journalKept   prometheus.Gauge

	historyUp      prometheus.Gauge
	historyRecords prometheus.Gauge
	historySeconds prometheus.Gauge

	safDepth    prometheus.Gauge
	safOldest   prometheus.Gauge
	safAttempts *family // link, outcome
	safCases    *family // link, reason
	safOpen     prometheus.Gauge
	settleOpen  prometheus.Gauge
	linkDepth   []prometheus.Gauge
	linkHeld    []prometheus.Gauge
	linkOldest  []prometheus.Gauge

	eventsWritten prometheus.Counter
	eventsDropped prometheus.Counter
	writeErrors   prometheus.Counter
}

// buckets run from 100 µs to 10 s; every third doubles or so.
func buckets() []float64 {
	return []float64{1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}
}

// NewMetrics makes the metrics over a registry of their own.
func NewMetrics(s Sets, version string) *Metrics {
	b := builder{registry: prometheus.NewRegistry()}
	b.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m := &Metrics{registry: b.registry}
	b.payments(m, s)
	b.links(m, s)
	b.hsm(m, s)
	b.store(m, s)

	m.connections = b.gauge("tapswitch_listen_connections", "terminal connections open")
	m.refused = b.family("tapswitch_listen_refused_total", "connections and messages refused, by reason", newLabels(s.Refusals), "reason")
	m.eventsWritten = b.counter("tapswitch_observe_events_written_total", "payment events written to the log")
	m.eventsDropped = b.counter("tapswitch_observe_events_dropped_total", "payment events dropped because the ring was full")
	m.writeErrors = b.counter("tapswitch_observe_write_errors_total", "writes of events to the log that failed")
	b.gauges("tapswitch_build_info", "always 1; the label says what runs", "version", []string{version})[0].Set(1)
	return m
}

func (b builder) payments(m *Metrics, s Sets) {
	l := newLabels(s.Classes, s.Outcomes, s.Reasons)
	m.payments = b.family("tapswitch_flow_payments_total", "messages answered, by class, outcome and reason", l, "class", "outcome", "reason")
	m.paymentSeconds = b.histograms("tapswitch_flow_seconds", "from the first byte of a request to its answer", "class", l.set[0])
	m.inFlight = b.gauge("tapswitch_flow_in_flight", "payments being worked on")
	m.counters = b.gauge("tapswitch_chip_counters", "cards whose transaction counters are known, of at most payment.counters")
	m.repeats = b.counter("tapswitch_flow_repeats_total", "messages answered from what was told before")
	m.moves = b.family("tapswitch_flow_moves_total", "what happened to payments since the start, by the state they were in", newLabels(s.States, s.Events), "state", "event")
}

func (b builder) links(m *Metrics, s Sets) {
	l := newLabels(s.Links, s.Exchanges)
	m.exchanges = b.family("tapswitch_link_exchanges_total", "requests to an acquirer by how they ended", l, "link", "outcome")
	m.linkSeconds = b.histograms("tapswitch_link_seconds", "from a request to its end", "link", l.set[0])
	m.linkUp = b.gauges("tapswitch_link_up", "1 while the link is signed on", "link", l.set[0])
	m.linkInFlight = b.gauges("tapswitch_link_in_flight", "requests without an answer yet", "link", l.set[0])
	m.lateAnswers = b.family("tapswitch_link_late_answers_total", "answers that nobody waited for any more", newLabels(s.Links), "link")
	m.linkEvents = b.family("tapswitch_link_events_total", "what a link counts besides: connections lost, frames refused, strange answers", newLabels(s.Links, s.LinkEvents), "link", "event")
	m.safAttempts = b.family("tapswitch_saf_attempts_total", "deliveries of reversals and advices by how they ended", newLabels(s.Links, s.Attempts), "link", "outcome")
	m.linkDepth = b.gauges("tapswitch_saf_link_depth", "reversals and advices that wait for this link; other: for links that are not configured", "link", l.set[0])
	m.linkHeld = b.gauges("tapswitch_saf_link_held", "how many of them an operator holds back", "link", l.set[0])
	m.linkOldest = b.gauges("tapswitch_saf_link_oldest_seconds", "age of the oldest of them", "link", l.set[0])
	m.safCases = b.family("tapswitch_saf_cases_total", "payments that ended with a case for a person, by why", newLabels(s.Links, s.Cases), "link", "reason")
}

func (b builder) hsm(m *Metrics, s Sets) {
	l := newLabels(s.Operations, s.Results)
	m.hsmCalls = b.family("tapswitch_hsm_calls_total", "operations asked of the HSM by how they ended", l, "operation", "outcome")
	m.hsmSeconds = b.histograms("tapswitch_hsm_seconds", "time of an operation, waiting included", "operation", l.set[0])
	m.hsmUp = b.gauge("tapswitch_hsm_up", "1 while the HSM can be used")
	m.passedOn = b.family("tapswitch_hsm_passed_on_total", "operations that a token of the failover group could not do, so that the next was asked", newLabels(s.Tokens), "token")
	m.tokenUp = map[string]prometheus.Gauge{}
	for i, g := range b.gauges("tapswitch_hsm_token_up", "1 while a token of the failover group serves; no line without a group", "token", s.Tokens) {
		m.tokenUp[s.Tokens[i]] = g
	}
}

func (b builder) store(m *Metrics, s Sets) {
	m.appends = b.family("tapswitch_journal_appends_total", "appends by how they ended", newLabels(s.Results), "outcome")
	m.appendSeconds = b.histogram("tapswitch_journal_append_seconds", "time until an append is durable")
	m.journalUsed = b.gauge("tapswitch_journal_used_bytes", "bytes of the journal's segment files, allocated ahead of use")
	m.journalKept = b.gauge("tapswitch_journal_reserved_bytes", "room kept for outcomes and reversals of payments in flight")
	m.historyUp = b.gauge("tapswitch_history_up", "1 while the history is written behind the journal; 0 too when none is configured")
	m.historyRecords = b.gauge("tapswitch_history_lag_records", "records of the journal that the history does not have yet")
	m.historySeconds = b.gauge("tapswitch_history_lag_seconds", "time since the history was level with the journal, 0 while it is")
	m.safDepth = b.gauge("tapswitch_saf_depth", "reversals and advices not acknowledged yet")
	m.safOpen = b.gauge("tapswitch_saf_cases_open", "payments with an open case: what the acquirer holds is for a person to find out")
	m.settleOpen = b.gauge("tapswitch_settle_cases_open", "open cases of uploaded batches: what a terminal has and the switch has not, or the other way round")
	m.safOldest = b.gauge("tapswitch_saf_oldest_seconds", "age of the oldest of them")
}

func (m *Metrics) countPayment(e Event) {
	m.payments.of(e.Class, e.Outcome, e.Reason).Inc()
	m.paymentSeconds[m.payments.labels.index(0, e.Class)].Observe(e.Total.Seconds())
	if e.Repeat {
		m.repeats.Inc()
	}
}

// InFlight sets the number of payments being worked on.
func (m *Metrics) InFlight(n int) { m.inFlight.Set(float64(n)) }

// Counters sets the number of cards whose transaction counters are known.
func (m *Metrics) Counters(n int) { m.counters.Set(float64(n)) }

// Connections sets the number of open terminal connections.
func (m *Metrics) Connections(n int) { m.connections.Set(float64(n)) }

// Refused counts a connection or message that a listener refused.
func (m *Metrics) Refused(reason string) { m.refused.of(reason).Inc() }

// Exchange counts a request to an acquirer and its time.
func (m *Metrics) Exchange(link, outcome string, took time.Duration) {
	m.exchanges.of(link, outcome).Inc()
	m.linkSeconds[m.exchanges.labels.index(0, link)].Observe(took.Seconds())
}

// LateAnswer counts an answer that nobody waited for any more.
func (m *Metrics) LateAnswer(link string) { m.lateAnswers.of(link).Inc() }

// LinkEvents returns the counter of one link, by the name of what happened.
func (m *Metrics) LinkEvents(link string) func(event string) {
	return func(event string) { m.linkEvents.of(link, event).Inc() }
}

// SAFAttempt counts a delivery of a reversal or an advice.
func (m *Metrics) SAFAttempt(link, outcome string) { m.safAttempts.of(link, outcome).Inc() }

// LinkState sets whether a link is signed on and how many requests it has in flight.
func (m *Metrics) LinkState(link string, up bool, inFlight int) {
	l := m.exchanges.labels.index(0, link)
	m.linkUp[l].Set(truth(up))
	m.linkInFlight[l].Set(float64(inFlight))
}

// HSMCall counts an operation of the HSM and its time.
func (m *Metrics) HSMCall(operation, result string, took time.Duration) {
	m.hsmCalls.of(operation, result).Inc()
	m.hsmSeconds[m.hsmCalls.labels.index(0, operation)].Observe(took.Seconds())
}

// HSMUp sets whether the HSM can be used.
func (m *Metrics) HSMUp(up bool) { m.hsmUp.Set(truth(up)) }

// Moves sets how often an event has happened to payments in a state.
func (m *Metrics) Moves(state, event string, n uint64) { m.moves.of(state, event).n.Store(n) }

// HSMToken sets what is known of a token of the failover group: whether it serves,
// and how many operations it could not do so far.
func (m *Metrics) HSMToken(token string, up bool, passed uint64) {
	if g := m.tokenUp[token]; g != nil {
		g.Set(truth(up))
		m.passedOn.of(token).n.Store(passed)
	}
}

// Appended counts an append to the journal and its time.
func (m *Metrics) Appended(result string, took time.Duration) {
	m.appends.of(result).Inc()
	m.appendSeconds.Observe(took.Seconds())
}

// JournalRoom sets the bytes written and the bytes kept for payments in flight.
func (m *Metrics) JournalRoom(used, reserved int64) {
	m.journalUsed.Set(float64(used))
	m.journalKept.Set(float64(reserved))
}

// History sets whether the history is written, and how far it is behind.
func (m *Metrics) History(up bool, records uint64, behind time.Duration) {
	m.historyUp.Set(truth(up))
	m.historyRecords.Set(float64(records))
	m.historySeconds.Set(behind.Seconds())
}

// SettleCases tells how many cases uploads of batches have opened.
func (m *Metrics) SettleCases(n int) { m.settleOpen.Set(float64(n)) }

// SAFCase counts a reversal or an advice that ended with a case.
func (m *Metrics) SAFCase(link, why string) { m.safCases.of(link, why).Inc() }

// SAFLink sets how many messages wait for a link, how many of them are held, and
// for how long the oldest has waited.
func (m *Metrics) SAFLink(link string, depth, held int, oldest time.Duration) {
	l := m.exchanges.labels.index(0, link)
	m.linkDepth[l].Set(float64(depth))
	m.linkHeld[l].Set(float64(held))
	m.linkOldest[l].Set(oldest.Seconds())
}

// SAF sets how many reversals wait, for how long the oldest has, and how many
// cases are open.
func (m *Metrics) SAF(depth int, oldest time.Duration, cases int) {
	m.safOpen.Set(float64(cases))
	m.safDepth.Set(float64(depth))
	m.safOldest.Set(oldest.Seconds())
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
