// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"context"
	"log/slog"
	"strings"
	"time"
)

// write encodes one event. Words of closed sets are written only if they are in
// their set, and every other text is bounded.
func (o *Observer) write(ctx context.Context, e Event) {
	if !o.sink.Enabled(ctx, slog.LevelInfo) {
		return
	}
	set := o.payments.labels
	r := slog.NewRecord(e.At, slog.LevelInfo, "payment", 0)
	r.AddAttrs(
		slog.String("class", set.name(0, e.Class)),
		slog.String("outcome", set.name(1, e.Outcome)),
		slog.String("reason", set.name(2, e.Reason)),
		slog.String("code", bounded(e.Code, 2)),
		slog.String("terminal", bounded(e.Terminal, 8)),
		slog.String("merchant", printable(e.Merchant, 15)),
		slog.Uint64("batch", uint64(e.Batch)),
		slog.Uint64("trace", uint64(e.Trace)),
		slog.Uint64("stan", uint64(e.STAN)),
		slog.String("rrn", bounded(e.RRN, 12)),
		slog.String("card", maskedCard(e.Card)),
		slog.String("amount", e.Amount.String()),
		slog.String("link", o.exchanges.labels.name(0, e.Link)),
		slog.String("issuer", bounded(e.Issuer, 32)),
		slog.Bool("pin", e.PIN),
		slog.Bool("chip", e.Chip),
		slog.Bool("repeat", e.Repeat),
		microseconds("hsm_us", e.HSM),
		microseconds("journal_us", e.Journal),
		microseconds("acquirer_us", e.Acquirer),
		microseconds("total_us", e.Total),
		steps(e.Steps),
	)
	if err := o.sink.Handle(ctx, r); err != nil {
		o.writeErrors.Inc() // nowhere else to say it
		return
	}
	o.eventsWritten.Inc()
}

func microseconds(key string, d time.Duration) slog.Attr { return slog.Int64(key, d.Microseconds()) }

// maxSteps bounds what one event says of its stages.
const maxSteps = 16

func steps(all []Step) slog.Attr {
	attrs := make([]slog.Attr, 0, maxSteps)
	for _, s := range all[:min(len(all), maxSteps)] {
		attrs = append(attrs, microseconds(bounded(s.Name, 24)+"_us", s.Took))
	}
	return slog.Attr{Key: "steps", Value: slog.GroupValue(attrs...)}
}

// bounded is printable without anything that may be a card number.
func bounded(s string, size int) string { return scrub(printable(s, size)) }

// printable cuts a text and takes out what is not printable.
func printable(s string, size int) string {
	if len(s) > size {
		s = s[:size]
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, s)
}

// maskedCard lets through what is masked already: at most ten digits and stars
// between them. Anything else is not shown.
func maskedCard(s string) string {
	digits := 0
	for _, r := range s {
		switch {
		case r >= '0' && r <= '9':
			digits++
		case r != '*':
			return "(no pan)"
		}
	}
	if digits > 10 || s == "" {
		return "(no pan)"
	}
	return s
}

// cardDigits is the length from which a run of digits may be a card number. The
// check digit is not asked: numbers of test cards often have a wrong one.
const cardDigits = 13

// scrub replaces every run of digits that may hold a card number.
func scrub(s string) string {
	from := 0
	for i := 0; i <= len(s); i++ {
		if i < len(s) && s[i] >= '0' && s[i] <= '9' {
			continue
		}
		if i-from >= cardDigits {
			s = s[:from] + hiddenDigits + s[i:]
			i = from + len(hiddenDigits)
		}
		from = i + 1
	}
	return s
}

// hiddenDigits stands where digits stood.
const hiddenDigits = "(digits)"
