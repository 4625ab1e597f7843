// SPDX-License-Identifier: Apache-2.0

package node

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"tapswitch/internal/env"
	"tapswitch/switch/admin"
	"tapswitch/switch/flow"
	"tapswitch/switch/journal"
	"tapswitch/switch/saf"
	"tapswitch/switch/txn"
)

// openDesk opens the operator's port when one is configured. It is there before
// the first terminal: what waits can be held while payments still come to nothing.
func (n *Node) openDesk() error {
	if n.cfg.Admin.Socket == "" {
		return nil
	}
	l, err := n.world.Net.Listen("unix:" + n.cfg.Admin.Socket)
	if err != nil {
		return fmt.Errorf("admin.socket: %w", err)
	}
	n.desk = admin.NewServer(l, desk{n}, n.world)
	n.spawn(n.desk.Run)
	n.observer.Log().Info("operators are served", "socket", n.cfg.Admin.Socket)
	return nil
}

// closeDesk ends it, after what is being done; the journal must still be open.
func (n *Node) closeDesk() {
	if n.desk == nil {
		return
	}
	if err := n.desk.Close(); err != nil {
		n.observer.Log().Warn("close of the operator's port", "err", err)
	}
}

// desk is what operators ask of the switch.
type desk struct{ *Node }

// List implements admin.Desk.
func (d desk) List(link string, most int) (items []admin.Item, more int, err error) {
	waiting := d.saf.Links()
	if link != "" {
		if d.links[link] == nil && !slices.Contains(waiting, link) {
			return nil, 0, &admin.Refusal{Word: admin.BadRequest, Text: fmt.Sprintf("there is no link %q, and nothing waits for one of that name", link)}
		}
		waiting = []string{link}
	}
	for _, name := range waiting {
		all, left := d.saf.List(name, most)
		more += left
		for i := range all {
			items = append(items, d.shown(&all[i]))
		}
	}
	slices.SortStableFunc(items, func(a, b admin.Item) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.RRN, b.RRN))
	})
	if left := max(0, len(items)-most); left > 0 {
		items, more = items[:most], more+left
	}
	return items, more, nil
}

// shown is an item of the queue as an operator sees it.
func (d desk) shown(s *saf.Item) admin.Item {
	it := admin.NewItem(&s.Payment)
	it.Link, it.Since, it.Tries, it.Code, it.Err = s.Link, s.Since, s.Tries, s.Code.String(), errText(s.Err)
	d.health(&it)
	if s.Place == saf.Over {
		return it
	}
	it.Kind, it.Place, it.WaitMS, it.Behind = s.Kind.String(), string(s.Place), s.Wait.Milliseconds(), s.First.String()
	return it
}

// health says how the link of an item is.
func (d desk) health(it *admin.Item) {
	l := d.links[it.Link]
	if l == nil {
		it.Health = "not configured"
		return
	}
	h := l.link.Health()
	if it.LinkUp = h.Up; !h.Up {
		it.Health = h.Reason
	}
}

// Act implements admin.Desk.
func (d desk) Act(of txn.RRN, a txn.Act, until env.Mono) (admin.Item, error) {
	k, ok := d.index.FindRRN(of)
	p, known := d.index.Find(k)
	if !ok || !known {
		return admin.Item{}, &admin.Refusal{Word: admin.UnknownRRN,
			Text: fmt.Sprintf("no payment in memory has the reference number %s: compare it with the list; what is over for long is found by tapswitch history", of)}
	}
	p = d.subject(p, a.What)
	k = p.Key
	var it admin.Item
	var err error
	switch a.What {
	case txn.FoundUndone, txn.FoundStands:
		p, err = d.flow.CloseCase(k, a)
		it = admin.NewItem(&p)
		d.health(&it)
	default:
		var s saf.Item
		s, err = d.saf.Act(p.Link, k, a, until)
		it = d.shown(&s)
	}
	if err != nil {
		return admin.Item{}, d.refusal(k, of, a.What, err)
	}
	d.told(a, it)
	return it, nil
}

// subject is what an act on p is about. The advice of a payment that was decided here
// has its reference number: it is meant while it owes what the act is on, or has a
// case to close, since it goes before what else the payment owes.
func (d desk) subject(p txn.Payment, what txn.Deed) txn.Payment {
	advice, ok := d.index.Find(txn.StandInKey(p.Key))
	if !p.StoodIn || !ok || advice.OfRRN != p.Numbers.RRN {
		return p
	}
	closes := what == txn.FoundUndone || what == txn.FoundStands
	if closes && advice.State == txn.Disputed || !closes && advice.State.Owes() {
		return advice
	}
	return p
}

// refusal names why an act was not done.
func (d desk) refusal(k txn.Key, of txn.RRN, what txn.Deed, err error) error {
	p, _ := d.index.Find(k)
	no := func(word, format string, args ...any) error {
		return &admin.Refusal{Word: word, Text: fmt.Sprintf(format, args...)}
	}
	switch {
	case errors.Is(err, saf.ErrNothing):
		return no(admin.NothingDue, "%s: payment %s owes its acquirer nothing, it is %s", what, of, p.State)
	case errors.Is(err, saf.ErrSending):
		return no(admin.BeingSent, "%s: the message of payment %s is under way to %s this moment; ask again when its answer is there", what, of, p.Link)
	case errors.Is(err, flow.ErrNoCase):
		return no(admin.NoCase, "no case is open of payment %s, it is %s", of, p.State)
	case errors.Is(err, journal.ErrFull):
		return no(admin.NoRoom, "%s: the journal has no room for it; nothing was changed", what)
	case errors.Is(err, journal.ErrBusy):
		return no(admin.Crowded, "%s: the journal's queue is full; nothing was changed, try again", what)
	}
	return fmt.Errorf("%s of payment %s: %w", what, of, err)
}

// told writes an act into the log, and counts the case that a drop opens.
func (d desk) told(a txn.Act, it admin.Item) {
	d.observer.Log().Info("operator", "act", a.What.String(), "by", a.By, "why", a.Why, "rrn", it.RRN, "link", it.Link, "terminal", it.Terminal,
		"batch", it.Batch, "trace", it.Trace, "class", it.Class, "card", it.Card, "amount_minor", it.Amount, "state", it.State)
	if a.What == txn.Drop {
		d.observer.SAFCase(it.Link, string(txn.CaseDropped))
	}
}
