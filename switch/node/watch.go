// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tapswitch/switch/fleet"
	"tapswitch/switch/flow"
	"tapswitch/switch/link"
	"tapswitch/switch/listen"
	"tapswitch/switch/observe"
	"tapswitch/switch/saf"
	"tapswitch/switch/txn"

	"tapswitch/iso8583/frame"
	"tapswitch/switch/config"
)

// The ends of an exchange on a link and of a reversal's delivery as metrics name them.
const (
	exchangeAnswered = "answered"
	exchangeNotSent  = "not_sent"
	exchangeNoAnswer = "no_answer"
	exchangeChecks   = "failed_checks"

	attemptDone    = "acknowledged"
	attemptRefused = "refused"
	attemptFailed  = "no_answer"
	attemptCase    = "case"
)

// sets are the closed label sets of a switch.
func sets(cfg *config.Config) observe.Sets {
	s := observe.Sets{
		Outcomes:   []string{"approved", "declined"},
		Exchanges:  []string{exchangeAnswered, exchangeNotSent, exchangeNoAnswer, exchangeChecks},
		Attempts:   []string{attemptDone, attemptRefused, attemptFailed, attemptCase},
		Operations: operations(),
		Results:    results(),
		Refusals: []string{
			frame.ReasonLengthZero, frame.ReasonTooShort, frame.ReasonTooLong, frame.ReasonLengthNotDigits, frame.ReasonHeaderLength,
			frame.ReasonEndInLength, frame.ReasonEndInFrame, frame.ReasonReadFailed,
			listen.ReasonTooMany, listen.ReasonAccept, listen.ReasonHandshake, listen.ReasonIdle, listen.ReasonTooSlow, listen.ReasonLost,
			listen.ReasonEnd, listen.ReasonProcessFull, listen.ReasonAnswerForm, listen.ReasonAnswerLost, listen.ReasonAnswerMaybe,
			string(txn.DeclineFormat.Reason), string(txn.DeclineMalfunction.Reason), string(txn.DeclineDeadline.Reason), string(txn.DeclineAnswerKey.Reason),
		},
		LinkEvents: []string{
			link.CountGarbage, link.CountFrame, link.CountUnserved, link.CountNetworkUnknown, link.CountNetworkRequest, link.CountEchoRefused,
			link.CountNetworkFailed, link.CountTimeout, link.CountLost, link.CountNotSent,
			link.OutcomeCount(link.Matched), link.OutcomeCount(link.Late), link.OutcomeCount(link.Duplicate), link.OutcomeCount(link.Unknown), link.OutcomeCount(link.WrongLink),
		},
	}
	for _, c := range txn.Classes() {
		s.Classes = append(s.Classes, c.String())
	}
	for _, d := range txn.Reasons() {
		s.Reasons = append(s.Reasons, string(d.Reason))
	}
	for _, why := range txn.BatchReasons() {
		s.Reasons = append(s.Reasons, string(why))
	}
	s.Reasons = append(s.Reasons, string(txn.StandInYes))
	for _, why := range txn.OfflineReasons() {
		s.Reasons = append(s.Reasons, string(why))
	}
	for _, state := range txn.States() {
		s.States = append(s.States, state.String())
	}
	for _, e := range txn.Events() {
		s.Events = append(s.Events, e.String())
	}
	for _, why := range txn.CaseReasons() {
		s.Cases = append(s.Cases, string(why))
	}
	for _, l := range cfg.Links {
		s.Links = append(s.Links, l.Name)
	}
	return s
}

// exchange names how an exchange ended.
func exchange(err error) string {
	switch {
	case err == nil:
		return exchangeAnswered
	case errors.Is(err, flow.ErrNotSent):
		return exchangeNotSent
	case errors.Is(err, flow.ErrChecks):
		return exchangeChecks
	}
	return exchangeNoAnswer
}

// report derives metrics and the wide event from what the flow reports.
func (n *Node) report(ctx context.Context, r flow.Report) {
	e := observe.Event{
		At: n.world.Clock.Now(), Class: r.Key.Class.String(), Outcome: "declined", Reason: string(r.Answer.Reason), Code: r.Answer.Code.String(),
		Terminal: r.Key.Terminal.String(), Merchant: r.Key.Merchant.String(), Batch: r.Key.Batch, Trace: uint32(r.Key.Trace),
		Card: r.Card, Amount: r.Amount, Issuer: r.Issuer, Repeat: r.Answer.Repeat, Total: r.Total, HSM: spentIn(ctx),
	}
	if !n.known(r.Key) { // what a stranger writes into field 42 is not shown
		e.Merchant = ""
	}
	if r.Answer.Approved() {
		e.Outcome = "approved"
		if r.Answer.Part > 0 { // the code tells that more was asked
			e.Amount.Minor = r.Answer.Part
		}
	}
	if p := r.Payment; p != nil {
		e.STAN, e.RRN, e.Link = uint32(p.Numbers.STAN), p.Numbers.RRN.String(), p.Link
		e.PIN, e.Chip = p.PINGiven, p.ChipRead
	}
	for _, s := range r.Steps {
		e.Steps = append(e.Steps, observe.Step{Name: s.Name, Took: s.Took})
		switch s.Name {
		case flow.StepIntended, flow.StepDecided:
			e.Journal += s.Took
		case flow.StepAnswered:
			e.Acquirer += s.Took
		}
	}
	n.observer.Payment(e)
}

// known says whether terminal and merchant are those of the fleet.
func (n *Node) known(k txn.Key) bool {
	_, err := n.fleet.Lookup(k.Terminal.String(), k.Merchant.String())
	return !errors.Is(err, fleet.ErrUnknownTerminal) && !errors.Is(err, fleet.ErrMerchantMismatch)
}

// attempt reports one delivery of the store-and-forward.
func (n *Node) attempt(a saf.Attempt) {
	end := attemptFailed
	switch {
	case a.Done:
		end = attemptDone
	case a.Case != "":
		end = attemptCase
	case a.Err == nil:
		end = attemptRefused
	}
	n.observer.SAFAttempt(a.Payment.Link, end)
	p := a.Payment
	stan := p.Undo.STAN
	if a.Kind == saf.Advice {
		stan = p.Numbers.STAN
	}
	n.observer.Log().Info(a.Kind.String(), "terminal", p.Key.Terminal.String(), "trace", uint32(p.Key.Trace), "link", p.Link, "stan", uint32(stan),
		"original", uint32(p.Numbers.STAN), "rrn", p.Numbers.RRN.String(), "code", a.Code.String(), "tries", a.Tries, "end", end, "err", errText(a.Err))
	if a.Case != "" {
		p.Case = txn.Case{Why: a.Case, Code: a.Code}
		n.opened(p)
	}
}

// opened tells of a case with all that the acquirer must be asked.
func (n *Node) opened(p txn.Payment) {
	stan := p.Undo.STAN
	if stan == 0 { // no reversal: the message itself
		stan = p.Numbers.STAN
	}
	n.observer.SAFCase(p.Link, string(p.Case.Why))
	n.observer.Log().Warn("a case was opened: nothing more is sent, and a person must ask the acquirer what it holds; tapswitch txn cases lists all")
	n.observer.Log().Info("case", "why", string(p.Case.Why), "code", p.Case.Code.String(),
		"terminal", p.Key.Terminal.String(), "batch", p.Key.Batch, "trace", uint32(p.Key.Trace), "class", p.Key.Class.String(), "card", p.Masked,
		"amount_minor", int64(p.Amount.Minor), "link", p.Link, "stan", uint32(stan), "original", uint32(p.Numbers.STAN), "rrn", p.Numbers.RRN.String())
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// checks are what /readyz asks.
func (n *Node) checks() []observe.Check {
	list := []observe.Check{
		{Name: "serving", Ask: func() error {
			if !n.serving.Load() {
				return errors.New("starting or stopping")
			}
			return nil
		}},
		{Name: "hsm", Ask: n.module.Health},
	}
	if n.group != nil {
		for i, m := range n.group.Members() {
			list = append(list, observe.Check{Name: "hsm token " + m.Name, Spare: true, Ask: func() error { return n.group.Members()[i].Err }})
		}
	}
	for _, c := range n.cfg.Links {
		list = append(list, observe.Check{Name: "link " + c.Name, Ask: func() error {
			if h := n.links[c.Name].link.Health(); !h.Up {
				return fmt.Errorf("%s", h.Reason)
			}
			return nil
		}})
	}
	return list
}

// gauges refreshes what is measured and not counted.
func (n *Node) gauges() {
	n.observer.HSMUp(n.module.Health() == nil)
	n.tokens()
	n.observer.JournalRoom(n.journal.Used())
	n.waiting()
	for _, c := range n.cfg.Links {
		l := n.links[c.Name].link
		n.observer.LinkState(c.Name, l.Health().Up, l.InFlight())
	}
	n.observer.SettleCases(n.batches.Cases())
	if n.history != nil {
		h := n.history.Status()
		n.observer.History(h.Up, h.Records, h.Behind)
	}
	n.observer.InFlight(n.admission.InFlight())
	n.observer.Counters(n.counters.Len())
	n.moves()
	open := 0
	for _, l := range n.listeners {
		open += l.Connections()
	}
	n.observer.Connections(open)
}

// moves counts what happened to payments.
func (n *Node) moves() {
	taken := n.Moves()
	for _, a := range txn.Arrows() {
		n.observer.Moves(a.From.String(), a.Event.String(), taken.Taken(a))
	}
}

// waiting tells how much waits for the acquirers, all in all and by link.
func (n *Node) waiting() {
	type queue struct {
		depth, held int
		oldest      time.Duration
	}
	add := func(a, b queue) queue { return queue{a.depth + b.depth, a.held + b.held, max(a.oldest, b.oldest)} }
	var all, gone queue
	by := map[string]queue{}
	for _, name := range n.saf.Links() {
		q := queue{n.saf.Depth(name), n.saf.HeldCount(name), n.saf.Oldest(name)}
		if all = add(all, q); n.links[name] == nil { // a link that is no longer configured
			gone = add(gone, q)
			continue
		}
		by[name] = q
	}
	n.observer.SAF(all.depth, all.oldest, n.index.Cases())
	for _, c := range n.cfg.Links {
		q := by[c.Name]
		n.observer.SAFLink(c.Name, q.depth, q.held, q.oldest)
	}
	n.observer.SAFLink(noLink, gone.depth, gone.held, gone.oldest)
}

// noLink stands in metrics for all links that are not configured.
const noLink = "other"

// tokens tells of the failover group: which of its tokens serve, and in the log
// when that changes. It is called by one goroutine.
func (n *Node) tokens() {
	if n.group == nil {
		return
	}
	if n.serves == nil {
		n.serves = map[string]bool{}
	}
	for _, m := range n.group.Members() {
		up := m.Err == nil
		n.observer.HSMToken(m.Name, up, m.Passed)
		before, known := n.serves[m.Name]
		n.serves[m.Name] = up
		switch { // the name is in the text because repeats of a text are held back
		case !up && (before || !known):
			n.observer.Log().Warn("HSM token "+m.Name+" of the failover group does not serve", "token", m.Name, "err", m.Err.Error(), "passed_on", m.Passed)
		case up && known && !before:
			n.observer.Log().Info("HSM token "+m.Name+" of the failover group serves again", "token", m.Name, "passed_on", m.Passed)
		}
	}
}

// gaugePause is how often gauges are refreshed.
const gaugePause = time.Second
