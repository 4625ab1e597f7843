// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"tapswitch/iso8583/frame"
	"tapswitch/simulators/oracle"
	"tapswitch/switch/txn"
)

// scrape is what one life of the switch had counted at a moment. A counter dies with
// its process, so it is held against what terminals asked and heard of that life.
type scrape struct {
	Life         int           // 1 for the first
	From, Ready  time.Duration // the life began, and was ready
	Began, Ended time.Duration // the counters were read in between
	Rest         bool          // nothing was on its way
	Payments     map[counted]int
	Refused      map[string]int // messages and connections that listeners refused, by reason
	Cases        int            // payments that a person has, as the running switch knows them
}

// counted is what a message is counted by.
type counted struct{ class, outcome, reason string }

// The families that are read.
const (
	familyPayments = "tapswitch_flow_payments_total{"
	familyRefused  = "tapswitch_listen_refused_total{"
	gaugeCases     = "tapswitch_saf_cases_open "
)

// newScrape reads the counters of a text of metrics.
func newScrape(text string) (*scrape, error) {
	s := &scrape{Payments: map[counted]int{}, Refused: map[string]int{}}
	in := bufio.NewScanner(strings.NewReader(text))
	for in.Scan() {
		if n, ok := strings.CutPrefix(in.Text(), gaugeCases); ok {
			s.Cases, _ = strconv.Atoi(n)
		}
		name, value, ok := strings.Cut(in.Text(), "} ")
		if !ok || !strings.HasPrefix(name, familyPayments) && !strings.HasPrefix(name, familyRefused) {
			continue
		}
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return nil, fmt.Errorf("metrics: %q is no count", value)
		}
		family, rest, _ := strings.Cut(name, "{")
		label := map[string]string{}
		for pair := range strings.SplitSeq(rest, ",") {
			key, quoted, _ := strings.Cut(pair, "=")
			label[key] = strings.Trim(quoted, `"`)
		}
		if family+"{" == familyRefused {
			s.Refused[label["reason"]] += int(n)
			continue
		}
		s.Payments[counted{label["class"], label["outcome"], label["reason"]}] += int(n)
	}
	return s, in.Err()
}

// count reads the counters of the present life.
func (c *crash) count(ctx context.Context, rest bool) (*scrape, error) {
	began := time.Since(c.began)
	text, err := (&troupe{stage: c.stage}).metrics(ctx)
	if err != nil {
		return nil, err
	}
	s, err := newScrape(text)
	if err != nil {
		return nil, err
	}
	s.Life, s.From, s.Ready, s.Began, s.Ended, s.Rest = len(c.births), c.births[len(c.births)-1], c.grown, began, time.Since(c.began), rest
	c.scrapes = append(c.scrapes, s)
	return s, nil
}

// countsAgree is promise 10 at one moment: what the terminals heard of a life is
// counted there, by its reason, and nothing is counted that they had not asked. When
// nothing is on its way, every message is counted once.
func (s *scrape) countsAgree(asks []oracle.Ask) (broken []string) {
	say := func(format string, args ...any) {
		broken = append(broken, fmt.Sprintf("promise 10: life %d of the switch: ", s.Life)+fmt.Sprintf(format, args...))
	}
	t, n := s.reckon(asks), s.sums(say)
	lacks := 0
	for _, code := range slices.Sorted(maps.Keys(t.heard)) {
		lack := t.heard[code] - n.byCode[code]
		if code != yes && lack > 0 { // as far as acquirers may have said it
			lacks += lack
			lack = min(lack, lacks-n.loose)
		}
		if lack > 0 {
			say("%d answers with %s were heard, the reasons with that code count %d", t.heard[code], code, n.byCode[code])
		}
	}
	for _, code := range slices.Sorted(maps.Keys(n.byCode)) {
		if sum, open := n.byCode[code], t.open+n.instead; sum > t.heard[code]+open {
			say("the reasons with code %s count %d, and %d such answers were heard, %d messages not answered", code, sum, t.heard[code], open)
		}
	}
	for _, kind := range crashFlows() {
		class := classOf(kind)
		asked, told, sum := t.asked[kind], t.told[kind], n.byClass[class]
		if sum < told || sum > asked+t.bad {
			say("%d messages are counted as %s, %d were asked, %d of them answered; %d more were in a wrong form", sum, class, asked, told, t.bad)
		}
	}
	switch all := n.all + n.malformed; {
	case n.malformed > t.bad:
		say("%d messages are refused as no messages, %d were in a wrong form", n.malformed, t.bad)
	case all > t.sent, s.Rest && all < t.sent-t.lost:
		say("%d messages were sent, %d are counted and %d refused as none", t.sent, n.all, n.malformed)
	}
	return broken
}

// sums are the counters, added up.
type sums struct {
	byCode    map[string]int // by reasons with that code
	byClass   map[string]int
	loose     int // declined by acquirers, with whichever code
	all       int
	instead   int // refusals in the place of answers: counted by what was decided too
	malformed int
}

// sums adds the counters up; a reason that is none is told.
func (s *scrape) sums(say func(string, ...any)) sums {
	sum, codes := sums{byCode: map[string]int{}, byClass: map[string]int{}}, codesOfReasons()
	for _, k := range slices.SortedFunc(maps.Keys(s.Payments), compareCounted) {
		n := s.Payments[k]
		sum.all += n
		sum.byClass[k.class] += n
		code, known := codes[k.reason]
		switch {
		case k.outcome == "approved":
			sum.byCode[yes] += n
		case k.reason == string(txn.DeclineAcquirer.Reason):
			sum.loose += n
		case !known:
			say("%d messages are counted by %q, which is no reason", n, k.reason)
		default:
			sum.byCode[code] += n
		}
	}
	for reason, n := range s.Refused {
		code, known := codes[reason]
		switch {
		case slices.Contains(noMessages(), reason):
			sum.malformed += n
		case known:
			sum.byCode[code] += n
			sum.instead += n
		}
	}
	return sum
}

// casesAgree is promise 8 for what a person has: the switch that runs, at rest, knows
// as many payments of that kind as a replay of its journal.
func (s *scrape) casesAgree(replayed int) (broken []string) {
	if s.Rest && s.Cases != replayed {
		broken = append(broken, fmt.Sprintf("promise 8: life %d of the switch knows %d payments with an open case, its journal has %d", s.Life, s.Cases, replayed))
	}
	return broken
}

// noMessages are the reasons by which a listener refuses what is no message.
func noMessages() []string {
	return []string{string(txn.DeclineFormat.Reason), frame.ReasonLengthZero, frame.ReasonTooShort, frame.ReasonTooLong}
}

// yes stands for the codes of all approvals.
const yes = "00"

// reckoning is what terminals asked and heard of one life, up to a moment.
type reckoning struct {
	sent  int // all messages
	heard map[string]int
	asked map[oracle.Kind]int // in form
	told  map[oracle.Kind]int // of them, answered
	bad   int                 // in a wrong form
	open  int                 // not answered, or while the counters were read
	lost  int                 // of them, sent before the life was ready: it may have been to the one before
}

func (s *scrape) reckon(asks []oracle.Ask) reckoning {
	t := reckoning{heard: map[string]int{}, asked: map[oracle.Kind]int{}, told: map[oracle.Kind]int{}}
	for _, a := range asks {
		if a.Arrived < s.From || a.Arrived > s.Ended {
			continue
		}
		t.sent++
		told := a.Answered != oracle.Never && a.Answered <= s.Began && a.Code != ""
		switch {
		case !told && a.Answered == oracle.Never && a.Arrived < s.Ready:
			t.lost++
			t.open++
		case !told:
			t.open++
		case a.Code == "10":
			t.heard[yes]++
		default:
			t.heard[a.Code]++
		}
		if a.Malformed {
			t.bad++
			continue
		}
		t.asked[a.Kind]++
		if told {
			t.told[a.Kind]++
		}
	}
	return t
}

// classOf is the name under which the switch counts a kind.
func classOf(kind oracle.Kind) string {
	switch kind {
	case oracle.Inquiry:
		return txn.Balance.String()
	case oracle.Settlement:
		return txn.Settle.String()
	}
	return string(kind)
}

// codesOfReasons says by which code a terminal hears of each reason.
func codesOfReasons() map[string]string {
	codes := map[string]string{}
	for _, d := range txn.Reasons() {
		codes[string(d.Reason)] = d.Code.String()
	}
	return codes
}

func compareCounted(a, b counted) int {
	return slices.Compare([]string{a.class, a.outcome, a.reason}, []string{b.class, b.outcome, b.reason})
}
