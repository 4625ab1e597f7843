// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"
)

// repeatPause is how long a warning with the same text is held back.
const repeatPause = 10 * time.Second

// maxTexts bounds the memory of warnings; texts are constants of the program.
const maxTexts = 256

// newHandler writes JSON lines in which no text can be a card number.
func newHandler(w io.Writer, level slog.Level) slog.Handler {
	return slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: scrubAttr})
}

// scrubAttr is the last gate: whatever was passed to the logger goes through it.
func scrubAttr(groups []string, a slog.Attr) slog.Attr {
	switch a.Value.Kind() {
	case slog.KindString:
		// A merchant number of the fleet has 15 digits; it stands in this one place.
		if len(groups) > 0 || a.Key != "merchant" {
			a.Value = slog.StringValue(scrub(a.Value.String()))
		}
	case slog.KindInt64, slog.KindUint64:
		a.Value = scrubNumber(a.Value)
	case slog.KindAny:
		a.Value = scrubAny(a.Value.Any())
	}
	return a
}

func scrubNumber(v slog.Value) slog.Value {
	if s := v.String(); scrub(s) != s {
		return slog.StringValue(hiddenDigits)
	}
	return v
}

// scrubAny turns a value into text first: what JSON would make of it by
// reflection could hold anything.
func scrubAny(v any) slog.Value {
	switch v := v.(type) {
	case time.Time:
		return slog.TimeValue(v)
	case *slog.Source, slog.Level:
		return slog.AnyValue(v)
	case []byte:
		return slog.StringValue(fmt.Sprintf("(%d bytes)", len(v)))
	}
	return slog.StringValue(scrub(fmt.Sprint(v)))
}

// limiter lets a warning or error with the same text through once per
// repeatPause and says how many it held back.
type limiter struct {
	next slog.Handler
	held *heldBack
}

type heldBack struct {
	mu    sync.Mutex
	texts map[string]*repeats
}

type repeats struct {
	since time.Time
	held  int
}

func newLimiter(next slog.Handler) *limiter {
	return &limiter{next: next, held: &heldBack{texts: map[string]*repeats{}}}
}

// Enabled asks the handler behind.
func (l *limiter) Enabled(ctx context.Context, level slog.Level) bool {
	return l.next.Enabled(ctx, level)
}

// Handle passes a record on, or holds it back.
func (l *limiter) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelWarn {
		write, held := l.held.due(r.Message, r.Time)
		if !write {
			return nil
		}
		if held > 0 {
			r = r.Clone()
			r.AddAttrs(slog.Int("held_back", held))
		}
	}
	if err := l.next.Handle(ctx, r); err != nil {
		return errors.Join(errors.New("observe: the log cannot be written"), err)
	}
	return nil
}

// WithAttrs keeps the memory of repeats.
func (l *limiter) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &limiter{next: l.next.WithAttrs(attrs), held: l.held}
}

// WithGroup keeps the memory of repeats.
func (l *limiter) WithGroup(name string) slog.Handler {
	return &limiter{next: l.next.WithGroup(name), held: l.held}
}

// due tells whether a text is written now, and how many were held back before.
func (h *heldBack) due(text string, now time.Time) (write bool, held int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.texts[text]
	if t == nil {
		if len(h.texts) >= maxTexts { // texts that vary defeat the memory: start over
			clear(h.texts)
		}
		h.texts[text] = &repeats{since: now}
		return true, 0
	}
	if now.Sub(t.since) < repeatPause {
		t.held++
		return false, 0
	}
	held, t.held, t.since = t.held, 0, now
	return true, held
}
