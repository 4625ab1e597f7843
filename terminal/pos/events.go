// SPDX-License-Identifier: Apache-2.0

package pos

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"tapswitch/internal/money"
)

// Event is one line of the till's output. Fields that an event does not have
// are left out of its JSON.
type Event struct {
	Event    string `json:"event"`
	Time     string `json:"time,omitempty"` // in the log only
	Terminal string `json:"terminal,omitempty"`
	Merchant string `json:"merchant,omitempty"`

	Kind        string           `json:"kind,omitempty"` // of a result or an advice: preauth, preauth-void, complete, complete-offline, complete-void, refund, cashback, adjust, tip; none for a sale
	Trace       uint32           `json:"trace,omitempty"`
	Batch       string           `json:"batch,omitempty"`
	RRN         string           `json:"rrn,omitempty"`
	Auth        string           `json:"auth,omitempty"`
	Date        string           `json:"date,omitempty"` // of a kind other than a sale: MMDD
	Card        string           `json:"card,omitempty"` // masked
	AmountMinor money.MinorUnits `json:"amount_minor,omitempty"`
	CashMinor   money.MinorUnits `json:"cash_minor,omitempty"` // of the amount, what the customer gets in cash
	PartMinor   money.MinorUnits `json:"part_minor,omitempty"` // of a result: what was approved, when it is a part
	Kernel      int              `json:"kernel,omitempty"`
	AID         string           `json:"aid,omitempty"`
	Label       string           `json:"label,omitempty"`
	CVM         string           `json:"cvm,omitempty"`
	ODA         string           `json:"oda,omitempty"` // of a result: fdda, failed, not_performed
	ODAReason   string           `json:"oda_reason,omitempty"`
	TVR         string           `json:"tvr,omitempty"`
	TSI         string           `json:"tsi,omitempty"`
	Code        string           `json:"code,omitempty"`
	Notice      string           `json:"notice,omitempty"` // of a result: what the host wants printed
	Outcome     string           `json:"outcome,omitempty"`
	Reason      string           `json:"reason,omitempty"`
	Why         string           `json:"why,omitempty"`     // of a reversal: 98, A0, 06
	Done        *bool            `json:"done,omitempty"`    // of a reversal or an advice
	Receipt     string           `json:"receipt,omitempty"` // of a result: the line that is printed for people
	Message     string           `json:"message,omitempty"`
	MTI         string           `json:"mti,omitempty"`
	Name        string           `json:"name,omitempty"`
	Totals      *Totals          `json:"totals,omitempty"`   // of a settlement: the terminal's own
	Theirs      *Totals          `json:"theirs,omitempty"`   // the same: the switch's
	Uploaded    *int             `json:"uploaded,omitempty"` // the same: payments that the switch has now
	Next        string           `json:"next,omitempty"`     // the same: the batch that sales are in
	MSTotal     *float64         `json:"ms_total,omitempty"`
	MSCard      *float64         `json:"ms_card,omitempty"`
	MSHost      *float64         `json:"ms_host,omitempty"`
}

// The events.
const (
	EventReady       = "ready"
	EventSignedOn    = "signed_on"
	EventSignedOff   = "signed_off"
	EventEcho        = "echo"
	EventPresentCard = "present_card"
	EventEnterPIN    = "enter_pin"
	EventSeePhone    = "see_phone"
	EventAgain       = "present_card_again" // for what the issuer sends along with an approval
	EventResult      = "result"
	EventLast        = "last" // the last approved payment once more
	EventReversal    = "reversal"
	EventSettlement  = "settlement"
	EventAdvice      = "advice"
	EventDiscarded   = "discarded"
	EventNote        = "note"
	EventError       = "error"
)

// printer writes events to people or programs, and what is final to the log.
type printer struct {
	mu       sync.Mutex
	out, log io.Writer
	json     bool
	currency money.Currency
	terminal string
	merchant string
	now      func() time.Time
	logErr   error // the first one
}

// logged says whether an event goes to the log: what became of payments. The last
// approval does too, since the power may have failed before its result was written.
func (e Event) logged() bool {
	switch e.Event {
	case EventResult, EventLast, EventReversal, EventSettlement, EventAdvice, EventDiscarded:
		return true
	}
	return false
}

// emit prints e, and writes it to the log when it belongs there.
func (p *printer) emit(e Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e.Event == EventResult {
		e.Receipt = p.receipt(e)
	}
	if p.json {
		writeJSON(p.out, e) // nobody is there to tell when this output is gone
	} else {
		fmt.Fprintln(p.out, p.human(e))
	}
	if !e.logged() {
		return
	}
	e.Time, e.Terminal, e.Merchant = p.now().Format(time.RFC3339Nano), p.terminal, p.merchant
	if err := writeJSON(p.log, e); err != nil && p.logErr == nil {
		p.logErr = fmt.Errorf("pos: write the terminal log: %w", err)
	}
}

func writeJSON(w io.Writer, e Event) error {
	raw, err := json.Marshal(e)
	if err != nil {
		return err
	}
	_, err = w.Write(append(raw, '\n'))
	return err
}

// human is the line for people.
func (p *printer) human(e Event) string {
	switch e.Event {
	case EventPresentCard:
		return p.amount(e) + ": present card"
	case EventEnterPIN:
		return e.Card + ": enter PIN"
	case EventResult:
		return p.receipt(e)
	case EventLast:
		return words("the last one:", p.receipt(e))
	case EventReversal:
		state := "not done: " + e.Reason
		if e.Done != nil && *e.Done {
			state = "done"
		}
		return words("reversal of", number(e.Trace), "batch", e.Batch, "("+e.Why+")", state, optional("code", e.Code))
	case EventSettlement:
		return p.settlement(e)
	case EventAdvice:
		state := "not told: " + e.Reason
		if e.Done != nil && *e.Done {
			state = "told"
		}
		what := "offline sale"
		if e.Kind != "" {
			what = e.Kind
		}
		return words(what, number(e.Trace), "batch", e.Batch, p.amount(e), state, optional("code", e.Code), optional("ref", e.RRN))
	case EventReady:
		return words("terminal", e.Terminal, "ready, batch", e.Batch)
	}
	return words(strings.ReplaceAll(e.Event, "_", " "), e.Terminal, optional("batch", e.Batch), e.Name, e.MTI, number(e.Trace), e.Reason, e.Message)
}

// receipt is the sale in one line.
func (p *printer) receipt(e Event) string {
	return words(strings.ToUpper(strings.ReplaceAll(e.Outcome, "_", " ")), e.Kind, p.part(e), p.amount(e), p.cash(e), e.Card, e.Label, optional("cvm", e.CVM),
		optional("oda", e.ODA), optional("batch", e.Batch), optional("trace", number(e.Trace)), optional("date", e.Date), optional("auth", e.Auth), optional("ref", e.RRN), optional("code", e.Code), optional("reason", e.Reason), e.Notice)
}

// part is what was approved in part: it is what the customer pays, and the rest is
// still owed.
func (p *printer) part(e Event) string {
	if e.PartMinor == 0 {
		return ""
	}
	return "IN PART " + money.Amount{Minor: e.PartMinor, Currency: p.currency}.String() + " of"
}

// cash is on the receipt, since the customer counts it.
func (p *printer) cash(e Event) string {
	if e.CashMinor == 0 {
		return ""
	}
	return "with " + money.Amount{Minor: e.CashMinor, Currency: p.currency}.String() + " in cash"
}

func (p *printer) amount(e Event) string {
	return money.Amount{Minor: e.AmountMinor, Currency: p.currency}.String()
}

// number is a trace number as receipts show it.
func number(trace uint32) string {
	if trace == 0 {
		return ""
	}
	return fmt.Sprintf("%06d", trace)
}

func optional(name, value string) string {
	if value == "" {
		return ""
	}
	return name + " " + value
}

func words(all ...string) string {
	kept := all[:0:0]
	for _, w := range all {
		if w != "" {
			kept = append(kept, w)
		}
	}
	return strings.Join(kept, " ")
}

// milliseconds has a tenth as its smallest step.
func milliseconds(d time.Duration) *float64 {
	ms := float64(d.Round(100*time.Microsecond)) / float64(time.Millisecond)
	return &ms
}
