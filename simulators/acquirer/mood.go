// SPDX-License-Identifier: Apache-2.0

package acquirer

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// The moods. All but silent-all act on financial requests and advices (0200, 0220,
// 0221, 0620, 0621) alone; reversals and network management go on as usual.
const (
	MoodNormal       = "normal"
	MoodSilent       = "silent"        // debits, does not answer
	MoodSilentBefore = "silent-before" // receives and drops: no effect, no answer
	MoodSilentAll    = "silent-all"    // takes effect, answers nothing, reversals and echo included
	MoodLate         = "late"          // debits, answers after a delay
	MoodHangup       = "hangup"        // debits, closes the connection instead of answering
	MoodDown         = "down"          // no connection and no listener
	MoodBadMAC       = "bad-mac"       // the answer's MAC is wrong
	MoodWrongAmount  = "wrong-amount"  // the answer's amount is one more; its MAC is right
	MoodDuplicate    = "duplicate"     // the answer comes twice
	MoodPartial      = "partial"       // approves a half of a purchase, whether a part was asked for or not
	MoodGarbage      = "garbage"       // bytes that are no message come instead of the answer
)

// maxDelay bounds a late answer.
const maxDelay = 10 * time.Minute

// Mood says how the host misbehaves. Once limits it to the next message it
// can act on.
type Mood struct {
	Kind  string
	Delay time.Duration // of late
	Once  bool
}

// ErrMood says that a text names no mood.
var ErrMood = errors.New("acquirer: mood: want normal, silent, silent-before, silent-all, late DURATION, hangup, down, bad-mac, wrong-amount, partial, duplicate or garbage, each with an optional once")

// ParseMood reads "silent", "late 3s", "bad-mac once".
func ParseMood(s string) (Mood, error) {
	words := strings.Fields(s)
	if len(words) == 0 {
		return Mood{}, ErrMood
	}
	m := Mood{Kind: words[0]}
	words = words[1:]
	if m.Kind == MoodLate {
		if len(words) == 0 {
			return Mood{}, ErrMood
		}
		d, err := time.ParseDuration(words[0])
		if err != nil || d <= 0 || d > maxDelay {
			return Mood{}, fmt.Errorf("acquirer: mood late: want a delay above 0 and up to %s, for example 3s", maxDelay)
		}
		m.Delay, words = d, words[1:]
	}
	if len(words) == 1 && words[0] == "once" {
		m.Once, words = true, nil
	}
	if len(words) > 0 {
		return Mood{}, ErrMood
	}
	switch m.Kind {
	case MoodNormal, MoodSilent, MoodSilentBefore, MoodSilentAll, MoodLate, MoodHangup, MoodDown, MoodBadMAC, MoodWrongAmount, MoodPartial, MoodDuplicate, MoodGarbage:
		return m, nil
	}
	return Mood{}, ErrMood
}

// String is the form that ParseMood reads.
func (m Mood) String() string {
	s := m.Kind
	if m.Kind == MoodLate {
		s += " " + m.Delay.String()
	}
	if m.Once {
		s += " once"
	}
	return s
}

// actsOn reports whether the mood bends a message of this type.
func (m Mood) actsOn(mti string) bool {
	switch m.Kind {
	case MoodNormal:
		return false
	case MoodSilentAll:
		return true
	}
	return mti == mtiFinancial || mti == mtiAuthorization || isAdvice(mti) || isScript(mti)
}

// spentBy reports whether a message of this type uses a once up.
func (m Mood) spentBy(mti string) bool {
	return m.Once && m.actsOn(mti) && mti != mtiNetwork
}

// drops reports whether the message is thrown away without effect.
func (m Mood) drops() bool { return m.Kind == MoodSilentBefore || m.Kind == MoodDown }
