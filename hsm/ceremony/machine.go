// SPDX-License-Identifier: Apache-2.0

package ceremony

import (
	"errors"
	"fmt"
	"slices"
)

// Kind names an event; it is what stands in the transcript.
type Kind string

// The events in service.
const (
	Begun     Kind = "begun"      // with the plan
	Resumed   Kind = "resumed"    // the process began anew: no component is in memory
	Generated Kind = "generated"  // a component was made and shown to its custodian
	Entered   Kind = "entered"    // a custodian typed a component
	ReadBack  Kind = "read_back"  // a custodian typed a component once more
	Mistyped  Kind = "mistyped"   // what was typed cannot be a component
	Combined  Kind = "combined"   // the components were put together, in the module
	Confirmed Kind = "confirmed"  // officer or witness said yes
	Formed    Kind = "formed"     // it is done
	NotFormed Kind = "not_formed" // after an interruption: it is not done
	Aborted   Kind = "aborted"    // somebody said no
)

// Event is what happened; none holds a byte of a component.
type Event struct {
	Kind     Kind     `json:"event"`
	Who      string   `json:"who,omitempty"`
	Check    Check    `json:"kcv,omitzero"`         // of the component, or of what all give
	Differs  bool     `json:"differs,omitempty"`    // read back: not what is in memory
	Group    int      `json:"group,omitempty"`      // mistyped: whose check digit is wrong
	Digits   int      `json:"digits,omitempty"`     // mistyped: how many there were
	Identity Identity `json:"lmk,omitzero"`         // combined, formed
	Keys     int      `json:"keys_moved,omitempty"` // formed: keys that a migration moved
	Plan     *Plan    `json:"plan,omitempty"`       // begun
}

// Phase is where a ceremony stands.
type Phase uint8

// The phases, in order.
const (
	Idle       Phase = iota // not begun
	Collecting              // components come together
	Confirming              // officer and witness are asked
	Forming                 // the module is at work
	Looking                 // interrupted while forming: is it done?
	Done
	Stopped // aborted
)

// Progress is where one component stands.
type Progress uint8

// The steps of a component.
const (
	Waiting  Progress = iota
	Made              // generated, or entered once: not yet compared
	Verified          // entered again by its custodian and found the same
)

// Part is one custodian's component.
type Part struct {
	Progress Progress
	Check    Check
	Wrong    int  // times in a row that something else was typed
	Present  bool // it is in memory now
}

// State is a ceremony at one moment.
type State struct {
	Plan     Plan
	Phase    Phase
	Parts    []Part
	Officer  bool // said yes
	Witness  bool
	Check    Check // of what all components give
	Identity Identity
	Keys     int
}

// Do names an action.
type Do uint8

// The actions in service.
const (
	Tell          Do = iota + 1 // say Text to Who, everybody when empty
	MakeComponent               // make Who's component at random and show it: Generated
	AskComponent                // let Who type a component: Entered, Mistyped
	AskReadBack                 // let Who type it once more: ReadBack, Mistyped
	Forget                      // wipe Who's component, all when empty
	Combine                     // Combined
	AskYes                      // let Who confirm: Confirmed
	Form                        // Formed
	Look                        // is it formed already? Formed, NotFormed
	End
)

// Action is what must be done, in order. The last asks for the next event.
type Action struct {
	Do    Do
	Who   string
	Text  Text
	Known Check // AskComponent: the check value it must have; zero: not known
	Got   Check // Tell: the one it has
	Count int   // Tell: group, digits, keys
}

// ErrEvent is an event that cannot happen now.
var ErrEvent = errors.New("ceremony: this cannot happen now")

// wrongMax is how often in a row a component that is not yet verified may be
// typed wrong before it is made, or entered, anew.
const wrongMax = 3

// zeroCheck is the check value of a component of zeros.
var zeroCheck = Check{0x92, 0x11, 0x05, 0x3C, 0x55}

// Step is the whole ceremony. It changes nothing but what it returns.
func (s State) Step(e Event) (State, []Action, error) {
	s.Parts = slices.Clone(s.Parts)
	if e.Kind == Begun {
		return s.begin(e)
	}
	if s.Phase == Idle || s.Phase == Done || s.Phase == Stopped {
		return s, nil, fmt.Errorf("%w: %s in a ceremony that has ended or not begun", ErrEvent, e.Kind)
	}
	switch e.Kind {
	case Resumed:
		return s.resume()
	case Aborted:
		return s.aborted(e)
	case Mistyped:
		return s.mistyped(e)
	case Generated, Entered, ReadBack:
		return s.component(e)
	case Combined:
		return s.combined(e)
	case Confirmed:
		return s.confirmed(e)
	case Formed, NotFormed:
		return s.formed(e)
	}
	return s, nil, fmt.Errorf("%w: %q is no event", ErrEvent, e.Kind)
}

func (s State) begin(e Event) (State, []Action, error) {
	if s.Phase != Idle || e.Plan == nil {
		return s, nil, fmt.Errorf("%w: begun twice, or without a plan", ErrEvent)
	}
	if err := e.Plan.Check(); err != nil {
		return s, nil, err
	}
	s.Plan, s.Phase, s.Parts = *e.Plan, Collecting, make([]Part, len(e.Plan.Custodians))
	return s, append([]Action{{Do: Tell, Text: SayBegun}}, s.next()...), nil
}

// aborted ends a ceremony in which nothing is being formed.
func (s State) aborted(e Event) (State, []Action, error) {
	people := append([]string{s.Plan.Officer, s.Plan.Witness}, s.Plan.Custodians...)
	if s.Phase == Forming || s.Phase == Looking || !slices.Contains(people, e.Who) {
		return s, nil, fmt.Errorf("%w: aborted by %q, or too late", ErrEvent, e.Who)
	}
	s.Phase = Stopped
	text := SayAbortedKeep
	if s.Plan.Purpose == Generate {
		text = SayAborted
	}
	return s, []Action{{Do: Forget}, {Do: Tell, Text: text}, {Do: End}}, nil
}

// resume forgets what was in memory, and every yes with it.
func (s State) resume() (State, []Action, error) {
	for i := range s.Parts {
		s.Parts[i].Present, s.Parts[i].Wrong = false, 0
	}
	s.Officer, s.Witness = false, false
	if s.Phase == Forming || s.Phase == Looking {
		s.Phase = Looking
	} else {
		s.Phase = Collecting
	}
	return s, append([]Action{{Do: Tell, Text: SayResumed}}, s.next()...), nil
}

// turn is the custodian whose component is wanted, -1 when all are there.
func (s State) turn() int {
	return slices.IndexFunc(s.Parts, func(p Part) bool { return p.Progress != Verified || !p.Present })
}

// asked is how the component of the turn is wanted, as an action.
func (s State) asked(i int) Do {
	switch p := s.Parts[i]; {
	case p.Progress == Made && p.Present:
		return AskReadBack
	case p.Progress == Waiting && s.Plan.Purpose == Generate:
		return MakeComponent
	}
	return AskComponent
}

// known is the check value that a component must have, when there is one.
func (s State) known(i int) Check {
	switch {
	case s.Parts[i].Progress != Waiting:
		return s.Parts[i].Check
	case len(s.Plan.Checks) != 0:
		return s.Plan.Checks[i]
	}
	return Check{}
}

// next is what the state waits for.
func (s State) next() []Action {
	switch s.Phase {
	case Collecting:
		i := s.turn()
		if i < 0 {
			return []Action{{Do: Combine}}
		}
		return []Action{{Do: s.asked(i), Who: s.Plan.Custodians[i], Known: s.known(i)}}
	case Confirming:
		if !s.Officer {
			return []Action{{Do: AskYes, Who: s.Plan.Officer}}
		}
		return []Action{{Do: AskYes, Who: s.Plan.Witness}}
	case Forming:
		return []Action{{Do: Form}}
	case Looking:
		return []Action{{Do: Look}}
	}
	return []Action{{Do: End}}
}

// theirTurn refuses an event about a component that is not wanted now.
func (s State) theirTurn(e Event) (int, error) {
	i := s.turn()
	if s.Phase != Collecting || i < 0 || s.Plan.Custodians[i] != e.Who {
		return 0, fmt.Errorf("%w: %s by %q, who is not asked", ErrEvent, e.Kind, e.Who)
	}
	return i, nil
}

func (s State) mistyped(e Event) (State, []Action, error) {
	i, err := s.theirTurn(e)
	if err != nil || s.asked(i) == MakeComponent {
		return s, nil, errors.Join(err, fmt.Errorf("%w: nobody types", ErrEvent))
	}
	tell := Action{Do: Tell, Who: e.Who, Text: SayDigits, Count: e.Digits}
	if e.Group != 0 {
		tell.Text, tell.Count = SayGroup, e.Group
	}
	return s, append([]Action{tell}, s.next()...), nil
}

// component takes in a component that was made, entered or read back.
func (s State) component(e Event) (State, []Action, error) {
	i, err := s.theirTurn(e)
	if err != nil {
		return s, nil, err
	}
	wanted := map[Do]Kind{MakeComponent: Generated, AskComponent: Entered, AskReadBack: ReadBack}[s.asked(i)]
	if e.Kind != wanted {
		return s, nil, fmt.Errorf("%w: %s, %s is wanted", ErrEvent, e.Kind, wanted)
	}
	p, known := &s.Parts[i], s.known(i)
	switch {
	case known != Check{} && (known != e.Check || e.Differs):
		return s.wrong(i, e, known)
	case known != Check{}:
		*p = Part{Progress: Verified, Check: e.Check, Present: true}
		return s, append([]Action{{Do: Tell, Text: SayVerified, Who: e.Who, Got: e.Check}}, s.next()...), nil
	}
	if weak := s.weak(e.Check); weak != "" {
		return s, append([]Action{{Do: Forget, Who: e.Who}, {Do: Tell, Who: e.Who, Text: weak, Got: e.Check}}, s.next()...), nil
	}
	*p = Part{Progress: Made, Check: e.Check, Present: true}
	return s, s.next(), nil
}

// weak names why a component must not be one; empty when it may.
func (s State) weak(c Check) Text {
	if c == zeroCheck {
		return SayZero
	}
	if slices.ContainsFunc(s.Parts, func(p Part) bool { return p.Progress != Waiting && p.Check == c }) {
		return SayTwice
	}
	return ""
}

// wrong refuses a component that is not the one it must be. One that was never
// verified is given up after some tries: what was written down may be wrong.
func (s State) wrong(i int, e Event, known Check) (State, []Action, error) {
	p := &s.Parts[i]
	p.Wrong++
	tell := []Action{{Do: Tell, Who: e.Who, Text: SayWrong, Known: known, Got: e.Check}}
	if p.Progress == Made && p.Wrong >= wrongMax {
		*p = Part{}
		tell = append(tell, Action{Do: Forget, Who: e.Who}, Action{Do: Tell, Who: e.Who, Text: SayAnew})
	}
	return s, append(tell, s.next()...), nil
}

func (s State) combined(e Event) (State, []Action, error) {
	if s.Phase != Collecting || s.turn() >= 0 {
		return s, nil, fmt.Errorf("%w: components are missing", ErrEvent)
	}
	s.Check, s.Identity = e.Check, e.Identity
	if s.Plan.Identity != (Identity{}) && s.Plan.Identity != e.Identity {
		s.Phase = Stopped
		return s, []Action{{Do: Forget}, {Do: Tell, Text: SayOther}, {Do: End}}, nil
	}
	s.Phase = Confirming
	return s, append([]Action{{Do: Tell, Text: SayCombined}}, s.next()...), nil
}

// confirmed takes a yes: the officer's first, then the witness's.
func (s State) confirmed(e Event) (State, []Action, error) {
	switch {
	case s.Phase == Confirming && !s.Officer && e.Who == s.Plan.Officer:
		s.Officer = true
	case s.Phase == Confirming && s.Officer && e.Who == s.Plan.Witness:
		s.Witness, s.Phase = true, Forming
	default:
		return s, nil, fmt.Errorf("%w: %q is not asked for a yes", ErrEvent, e.Who)
	}
	return s, s.next(), nil
}

func (s State) formed(e Event) (State, []Action, error) {
	switch {
	case e.Kind == NotFormed && s.Phase == Looking:
		s.Phase = Collecting
		return s, s.next(), nil
	case e.Kind == Formed && (s.Phase == Forming || s.Phase == Looking) && e.Identity == s.Identity:
		s.Phase, s.Keys = Done, e.Keys
		return s, []Action{{Do: Forget}, {Do: Tell, Text: SayFormed}, {Do: End}}, nil
	}
	return s, nil, fmt.Errorf("%w: nothing is being formed, or something else", ErrEvent)
}
