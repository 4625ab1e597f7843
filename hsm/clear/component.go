// SPDX-License-Identifier: Apache-2.0

package clear

import (
	"bytes"
	"crypto/subtle"
	"errors"
	"fmt"

	"tapswitch/hsm"
	"tapswitch/internal/secret"
)

// Sizes of a component of a local master key (AES-256), as bytes and as its
// custodian writes it: groups of hex digits with a check digit each. Components of
// other keys have 8, 16, 24 or 32 bytes, in groups of the same length.
const (
	ComponentLen = 32
	groups       = 8
	groupDigits  = 2 * ComponentLen / groups
)

// Errors of typing a component. None holds what was typed.
var (
	ErrTyped   = errors.New("clear: component is mistyped")
	ErrStopped = errors.New("clear: the word abort was typed in place of a component")
)

// Mistyped says where what was typed cannot be a component.
type Mistyped struct {
	Group  int // 1 to 8: its check digit is wrong; 0: no group
	Digits int // hex digits typed, when there were too few or too many
	Want   int // hex digits without check digits
}

// Error tells the place, never the digits.
func (m *Mistyped) Error() string {
	if m.Group != 0 {
		return fmt.Sprintf("clear: component is mistyped: the check digit of group %d is wrong", m.Group)
	}
	return fmt.Sprintf("clear: component is mistyped: %d hex digits, want %d, or %d with a check digit behind each group of %d", m.Digits, m.Want, m.Want+m.Want/groupDigits, groupDigits)
}

// Unwrap makes it an ErrTyped.
func (m *Mistyped) Unwrap() error { return ErrTyped }

// The places on a component's page.
const (
	valueAt = 0
	textAt  = 64
	textMax = 512
)

// Component is one component of a local master key or of another key, or the sum
// of all, on a locked page of its own. It is not safe for concurrent use.
type Component struct {
	mem  []byte
	size int
}

// NewComponent maps and locks the page of a component of a local master key; the
// value is zero. The error says what to raise.
func NewComponent() (*Component, error) { return NewKeyComponent(ComponentLen) }

// NewKeyComponent is NewComponent for a key of size bytes: 8, 16, 24 or 32, else
// hsm.ErrInput.
func NewKeyComponent(size int) (*Component, error) {
	if size != 8 && size != 16 && size != 24 && size != ComponentLen {
		return nil, fmt.Errorf("%w: no key has components of %d bytes", hsm.ErrInput, size)
	}
	mem, err := lockedPage()
	if err != nil {
		return nil, err
	}
	return &Component{mem, size}, nil
}

// Close wipes the component and gives its page back.
func (c *Component) Close() error {
	if c.mem == nil {
		return nil
	}
	c.Wipe()
	mem := c.mem
	c.mem = nil
	return unmap(mem)
}

// Wipe overwrites the value and whatever was typed or shown.
func (c *Component) Wipe() { clear(c.mem) }

// Value is the bytes (32, or as NewKeyComponent was told), for the module call that
// fills or reads them.
func (c *Component) Value() []byte {
	return c.mem[valueAt : valueAt+c.size : valueAt+c.size]
}

// IsZero reports a component that hides nothing.
func (c *Component) IsZero() bool {
	var all byte
	for _, b := range c.Value() {
		all |= b
	}
	return all == 0
}

// Key is a copy for hsm.ComponentLoader; the caller wipes it.
func (c *Component) Key() (secret.Key, error) { return secret.NewKey(c.Value()) }

// Copy makes c the same as other.
func (c *Component) Copy(other *Component) { copy(c.Value(), other.Value()) }

// Equal compares in the same time wherever they differ.
func (c *Component) Equal(other *Component) bool {
	return subtle.ConstantTimeCompare(c.Value(), other.Value()) == 1
}

// Sum makes c the xor of components.
func (c *Component) Sum(components []*Component) {
	clear(c.Value())
	for _, other := range components {
		subtle.XORBytes(c.Value(), c.Value(), other.Value())
	}
}

// Type reads one line into the component: its hex digits (64 of 32 bytes), or
// these with a check digit behind each group of eight (72); spaces and hyphens between them count for
// nothing. read gets a view of the locked page and is called until it brings a
// line end or an error. ErrTyped (as *Mistyped) says what to type again,
// ErrStopped that the custodian wants no more.
func (c *Component) Type(read func([]byte) (int, error)) error {
	text := c.mem[textAt : textAt+textMax]
	defer clear(text)
	n := 0
	for end := -1; end < 0; end = bytes.IndexAny(text[:n], "\r\n") {
		if n == len(text) {
			return c.mistyped(n)
		}
		got, err := read(text[n:])
		if err != nil {
			return err
		}
		n += got
	}
	return c.parse(text[:n])
}

func (c *Component) mistyped(digits int) error { return &Mistyped{Digits: digits, Want: 2 * c.size} }

// parse turns hex digits into the value; digits become nibbles in place.
func (c *Component) parse(text []byte) error {
	if line, _, _ := bytes.Cut(text, []byte("\n")); bytes.EqualFold(bytes.TrimSpace(line), []byte("abort")) {
		return ErrStopped
	}
	n := 0
	for _, b := range text {
		switch {
		case b >= '0' && b <= '9':
			b -= '0'
		case b >= 'A' && b <= 'F':
			b -= 'A' - 10
		case b >= 'a' && b <= 'f':
			b -= 'a' - 10
		case b == ' ' || b == '-' || b == '\t' || b == '\r' || b == '\n':
			continue
		default:
			return c.mistyped(n)
		}
		text[n] = b
		n++
	}
	nibbles, stride := text[:n], groupDigits
	switch n {
	case 2 * c.size:
	case 2*c.size + 2*c.size/groupDigits:
		stride++
	default:
		return c.mistyped(n)
	}
	for g := range 2 * c.size / groupDigits {
		group := nibbles[g*stride:][:stride]
		if stride > groupDigits && checkDigit(group[:groupDigits]) != group[groupDigits] {
			return &Mistyped{Group: g + 1}
		}
		for i := range groupDigits / 2 {
			c.mem[valueAt+g*groupDigits/2+i] = group[2*i]<<4 | group[2*i+1]
		}
	}
	return nil
}

// Show hands out the component as its custodian writes it down, a group a line
// with its number and check digit. write gets views of the locked page.
func (c *Component) Show(write func([]byte) error) error {
	const hexDigits = "0123456789ABCDEF"
	text := c.mem[textAt : textAt : textAt+textMax]
	defer clear(c.mem[textAt : textAt+textMax])
	var nibbles [groupDigits]byte
	defer clear(nibbles[:])
	for g := range 2 * c.size / groupDigits {
		line := append(text, ' ', ' ', byte('1'+g), ' ', ' ')
		for i := range nibbles {
			nibbles[i] = c.mem[valueAt+(g*groupDigits+i)/2] >> (4 * (1 - i%2)) & 0xF
			if i == groupDigits/2 {
				line = append(line, ' ')
			}
			line = append(line, hexDigits[nibbles[i]])
		}
		line = append(line, ' ', '-', ' ', hexDigits[checkDigit(nibbles[:])], '\n')
		if err := write(line); err != nil {
			return err
		}
	}
	return nil
}

// checkDigit is the Luhn algorithm modulo 16 over hex digits: it finds every
// single wrong digit and every swap of neighbours but that of 0 and F.
func checkDigit(nibbles []byte) byte {
	sum := byte(0)
	for i := range nibbles {
		n := nibbles[len(nibbles)-1-i]
		if i%2 == 0 {
			n *= 2
			n = n/16 + n%16
		}
		sum += n
	}
	return (16 - sum%16) % 16
}
