// SPDX-License-Identifier: Apache-2.0

package acquirer

import (
	"bytes"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"strings"

	moov "github.com/moov-io/iso8583"
)

// The bounds of a frame. The longest message of the dialect is about 6,500
// bytes; the shortest is a message type with an empty bitmap.
const (
	maxFrame = 8192
	minFrame = 20
	macSize  = 8
)

// Reasons for which a connection is closed: the peer does not speak the dialect.
var (
	errUnpack    = errors.New("message_does_not_unpack")
	errCanonical = errors.New("message_not_canonical") // trailing bytes, odd length digits, small hex letters
	errType      = errors.New("message_type_not_a_request")
)

// codec turns bytes into messages and back with moov's implementation. Its
// errors are never passed on: they may hold field content.
type codec struct {
	spec   *moov.MessageSpec
	fields []layout
}

func newCodec() *codec { return &codec{newSpec(), layouts()} }

// message is one request: field numbers to content, binary fields as raw bytes.
type message struct {
	mti    string
	fields map[int]string
	mac    string // state of its MAC: ok, bad or none
	half   bool   // a mood approves a half of it
}

// decode reads one message. It packs what it read and compares, so that every
// byte is accounted for.
func (c *codec) decode(raw []byte) (*message, error) {
	parsed := moov.NewMessage(c.spec)
	if err := parsed.Unpack(raw); err != nil {
		return nil, errUnpack
	}
	again, err := parsed.Pack()
	if err != nil || !bytes.Equal(again, raw) {
		return nil, errCanonical
	}
	mti, err := parsed.GetMTI()
	if err != nil {
		return nil, errUnpack
	}
	m := &message{mti: mti, fields: map[int]string{}, mac: StateNone}
	for id, f := range parsed.GetFields() {
		if id < 2 {
			continue
		}
		content, err := f.Bytes()
		if err != nil {
			return nil, errUnpack
		}
		m.fields[id] = string(content)
	}
	if !requestType(mti) {
		return nil, errType
	}
	return m, nil
}

// requestType reports whether mti names a request of ISO 8583:1987: version 0,
// and a function whose answer has the next odd digit.
func requestType(mti string) bool {
	if len(mti) != 4 || !isDigits(mti) {
		return false
	}
	return mti[0] == '0' && (mti[2] == '0' || mti[2] == '2') && mti[3] <= '1'
}

// answerType is the message type that answers mti.
func answerType(mti string) string {
	return mti[:2] + string(mti[2]+1) + "0"
}

// malformed names the first numeric field that has something else than digits.
func (c *codec) malformed(m *message) string {
	for _, l := range c.fields {
		if v, ok := m.fields[l.id]; ok && (l.kind == kindN || l.kind == kindNLL) && !isDigits(v) {
			return fmt.Sprintf("field_%d_not_numeric", l.id)
		}
	}
	return ""
}

// encode writes a message without a MAC.
func (c *codec) encode(mti string, fields map[int]string) ([]byte, error) {
	m := moov.NewMessage(c.spec)
	m.MTI(mti)
	for id, v := range fields {
		if err := m.BinaryField(id, []byte(v)); err != nil {
			return nil, fmt.Errorf("acquirer: answer %s: field %d does not fit the dialect; correct the ledger", mti, id)
		}
	}
	raw, err := m.Pack()
	if err != nil {
		return nil, fmt.Errorf("acquirer: answer %s does not pack; correct the ledger", mti)
	}
	return raw, nil
}

// seal writes a message with its MAC in field 64, or 128 when a field above 64
// is present. The MAC field is always the last, its bit is set before it is made.
func (c *codec) seal(mti string, fields map[int]string, zak []byte) ([]byte, error) {
	fields[macField(fields)] = string(make([]byte, macSize))
	raw, err := c.encode(mti, fields)
	if err != nil {
		return nil, err
	}
	body := raw[:len(raw)-macSize]
	mac := retailMAC(zak, padZero(body))
	return append(body, mac[:]...), nil
}

func macField(fields map[int]string) int {
	for id := range fields {
		if id > 64 {
			return 128
		}
	}
	return 64
}

// checkMAC says whether the MAC of a received message is ok, bad or absent.
func checkMAC(m *message, raw, zak []byte) string {
	got, ok := m.fields[macField(m.fields)]
	if !ok || len(got) != macSize {
		return StateNone
	}
	want := retailMAC(zak, padZero(raw[:len(raw)-macSize]))
	if subtle.ConstantTimeCompare(want[:], []byte(got)) != 1 {
		return StateBad
	}
	return StateOK
}

// key names a request for duplicate detection: its field 7, 11 and 32. The
// institution is zero filled to eleven digits as field 90 writes it.
func (m *message) key() string {
	return messageKey(m.fields[11], m.fields[7], m.fields[32])
}

func messageKey(stan, f7, institution string) string {
	if len(institution) < 11 {
		institution = strings.Repeat("0", 11-len(institution)) + institution
	}
	return stan + "-" + f7 + "-" + institution
}

// originalKey reads field 90 (type 4, trace number 6, date and time 10,
// acquirer 11, forwarder 11); false when it names none of the types.
func (m *message) originalKey(types ...string) (string, bool) {
	f := m.fields[90]
	if len(f) != 42 || !slices.Contains(types, f[:4]) || !isDigits(f) {
		return "", false
	}
	return messageKey(f[4:10], f[10:20], f[20:31]), true
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
