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
}

// counted is what a message is counted by.
type counted struct{ class, outcome, reason string }

// The families that are read.
const (
	familyPayments = "tapswitch_flow_payments_total{"
	familyRefused  = "tapswitch_listen_refused_total{"
)

// newScrape reads the counters of a text of metrics.
func newScrape(text string) (*scrape, error) {
	s := &scrape{Payments: map[counted]int{}, Refused: map[string]int{}}
	in := bufio.NewScanner(strings.NewReader(text))
	for in.Scan() {
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
	s.Life, s.From, s.Ready, s.Began, s.Ended, s.Rest = c.lives, c.born, c.grown, began, time.Since(c.began), rest
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
	t := s.reckon(asks)
	byCode, byClass, loose, sum := map[string]int{}, map[string]int{}, 0, 0
	codes := codesOfReasons()
	for _, k := range slices.SortedFunc(maps.Keys(s.Payments), compareCounted) {
		n := s.Payments[k]
		sum += n
		byClass[k.class] += n
		code, known := codes[k.reason]
		switch {
		case k.outcome == "approved":
			byCode[yes] += n
		case k.reason == string(txn.DeclineAcquirer.Reason): // by the acquirer's code, whichever
			loose += n
		case !known:
			say("%d messages are counted by %q, which is no reason", n, k.reason)
		default:
			byCode[code] += n
		}
	}
	lacks := 0
	for _, code := range slices.Sorted(maps.Keys(t.heard)) {
		lack := t.heard[code] - byCode[code]
		if code != yes && lack > 0 { // as far as acquirers may have said it
			lacks += lack
			lack = min(lack, lacks-loose)
		}
		if lack > 0 {
			say("%d answers with %s were heard, the reasons with that code count %d", t.heard[code], code, byCode[code])
		}
	}
	for _, code := range slices.Sorted(maps.Keys(byCode)) {
		if n := byCode[code]; n > t.heard[code]+t.open {
			say("the reasons with code %s count %d, and %d such answers were heard, %d messages not answered", code, n, t.heard[code], t.open)
		}
	}
	for _, kind := range crashFlows() {
		class := classOf(kind)
		asked, told, n := t.asked[kind], t.told[kind], byClass[class]
		if n < told || n > asked+t.bad {
			say("%d messages are counted as %s, %d were asked, %d of them answered; %d more were in a wrong form", n, class, asked, told, t.bad)
		}
	}
	malformed := 0
	for _, reason := range noMessages() {
		malformed += s.Refused[reason]
	}
	switch all := sum + malformed; {
	case malformed > t.bad:
		say("%d messages are refused as no messages, %d were in a wrong form", malformed, t.bad)
	case all > t.sent, s.Rest && all < t.sent-t.lost:
		say("%d messages were sent, %d are counted and %d refused as none", t.sent, sum, malformed)
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
