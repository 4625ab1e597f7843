// SPDX-License-Identifier: Apache-2.0

package ceremony

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// A transcript is lines of JSON, one event each:
//
//	{"n":1,"prev":"0…0","at":"2026-03-01T09:00:00Z","event":"begun","plan":{…}}
//	{"n":2,"prev":"5d1e…","at":"…","event":"generated","who":"alice","kcv":"1A2B3C4D5E"}
//
// prev is the SHA-256 of the line before without its line end, zeros in the
// first. Every line of a practice has "practice":true. A line is as this program
// writes it, byte for byte, or it was altered.

// ErrTranscript is a transcript that is not as it was written; the line is named.
var ErrTranscript = errors.New("ceremony: transcript is not as it was written")

// Bounds of what is read.
const (
	lineMax = 16 << 10
	fileMax = 4 << 20
)

// Line is one event as the transcript has it.
type Line struct {
	N        int    `json:"n"`
	Prev     string `json:"prev"`
	At       string `json:"at"` // RFC 3339, UTC
	Practice bool   `json:"practice,omitempty"`
	Event
}

// Report is what a transcript says.
type Report struct {
	Lines []Line
	State State
	Head  string // hash of the last line: what officer and witness wrote down
	Whole int    // bytes of whole lines
	Torn  int    // bytes of a last line that a crash cut; they count for nothing
}

// Ended tells whether the ceremony has come to its end, well or not.
func (r Report) Ended() bool { return r.State.Phase == Done || r.State.Phase == Stopped }

// first is what the first line has for the hash of the one before.
const first = "0000000000000000000000000000000000000000000000000000000000000000"

// encode is a line without its end, and its hash.
func encode(n int, prev string, at time.Time, practice bool, e Event) (line []byte, hash string, err error) {
	if prev == "" {
		prev = first
	}
	line, err = json.Marshal(Line{N: n, Prev: prev, At: at.UTC().Format(time.RFC3339), Practice: practice, Event: e})
	if err == nil && len(line) >= lineMax {
		err = fmt.Errorf("%w: line %d has more than %d bytes", ErrPlan, n, lineMax)
	}
	return line, hashOf(line), err
}

func hashOf(line []byte) string {
	sum := sha256.Sum256(line)
	return hex.EncodeToString(sum[:])
}

// Replay reads a transcript and steps through it. It refuses, with ErrTranscript
// and the line's number, what was changed, left out or put in, and what cannot
// have happened in this order. A cut end shows in Torn, and in Ended; that whole
// lines are missing at the end shows by Head alone.
func Replay(raw []byte) (Report, error) {
	var r Report
	if len(raw) > fileMax {
		return r, fmt.Errorf("%w: it has more than %d bytes", ErrTranscript, fileMax)
	}
	for len(raw) > 0 {
		text, rest, whole := bytes.Cut(raw, []byte("\n"))
		if !whole {
			r.Torn = len(raw)
			break
		}
		if err := r.take(text); err != nil {
			return r, fmt.Errorf("line %d: %w", len(r.Lines)+1, err)
		}
		r.Whole += len(text) + 1
		raw = rest
	}
	if len(r.Lines) == 0 {
		return r, fmt.Errorf("%w: it has no line", ErrTranscript)
	}
	return r, nil
}

// take reads one line.
func (r *Report) take(text []byte) error {
	var l Line
	if len(text) >= lineMax || json.Unmarshal(text, &l) != nil {
		return fmt.Errorf("%w: it is no event", ErrTranscript)
	}
	at, err := time.Parse(time.RFC3339, l.At)
	if err != nil {
		return fmt.Errorf("%w: its time is no time", ErrTranscript)
	}
	if l.N != len(r.Lines)+1 {
		return fmt.Errorf("%w: it says to be line %d", ErrTranscript, l.N)
	}
	if want := r.Head; l.Prev != want && (want != "" || l.Prev != first) {
		return fmt.Errorf("%w: it does not follow the line before", ErrTranscript)
	}
	again, hash, err := encode(l.N, l.Prev, at, l.Practice, l.Event)
	if err != nil || !bytes.Equal(again, text) {
		return fmt.Errorf("%w: it has another form", ErrTranscript)
	}
	state, _, err := r.State.Step(l.Event)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrTranscript, err)
	}
	if l.Practice != state.Plan.Practice {
		return fmt.Errorf("%w: its mark of a practice is not the plan's", ErrTranscript)
	}
	r.Lines, r.State, r.Head = append(r.Lines, l), state, hash
	return nil
}
