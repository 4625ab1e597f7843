// SPDX-License-Identifier: Apache-2.0

package hsmtest

import (
	"errors"
	"strings"

	"tapswitch/hsm"
)

// cardOf is the card number of a PVV vector, from its twelve digits when it has
// only those.
func cardOf(v vector) string {
	if v.text("pan12") != "" {
		return v.text("pan12") + "0"
	}
	return v.text("pan")
}

// pvvVectors runs the whole of pvv.json through a driver, but for the steps
// that only package pinoffset shows.
func pvvVectors(s *suite) {
	key, n := unhex(s, otherKey), 0
	for _, v := range loadAll(s, "pvv") {
		n++
		want := v.want()
		switch v.Function {
		case "pin.visa_pvv", "pin.visa_pvv_pan12":
		case "pin.visa_pvv_encrypted_tsp": // the PVV is four digits of it
			want = twoPasses(want)
		case "pin.visa_pvv_tsp", "decimalise.two_pass":
			continue // inside; TestTSPVector and TestTwoPassVectors of hsm/pinoffset
		default:
			s.Errorf("%s: no way to run %s", v.ID, v.Function)
			continue
		}
		pvk := s.key(hsm.PVK, v.bytes(s, "pvk"))
		for _, f := range []hsm.PINFormat{hsm.ISO0, hsm.ISO1, hsm.ISO3, hsm.ISO4} {
			in := s.arrived(hsm.ZPK, f, key, v.text("pin"), cardOf(v))
			got, err := s.m.GeneratePVV(s.Context(), in, pvk, v.text("pvki")[0])
			if err != nil || string(got[:]) != want {
				s.Errorf("%s from %s: PVV %s, %v; want %s", v.ID, f, got, err, want)
			}
			ref := hsm.PVV{Key: pvk, Index: v.text("pvki")[0], Value: [4]byte([]byte(want))}
			if err := s.m.VerifyPVV(s.Context(), in, ref); err != nil {
				s.Errorf("%s from %s: %v", v.ID, f, err)
			}
			for i := range ref.Value {
				wrong := ref
				wrong.Value[i] ^= 1
				if err := s.m.VerifyPVV(s.Context(), in, wrong); !errors.Is(err, hsm.ErrPIN) {
					s.Errorf("%s from %s: digit %d wrong: %v, want ErrPIN", v.ID, f, i, err)
				}
			}
		}
	}
	s.count(n, 12)
}

// twoPasses takes four digits out of hex text: its decimal ones first.
func twoPasses(text string) string {
	out := ""
	for _, c := range text {
		if c <= '9' {
			out += string(c)
		}
	}
	for _, c := range text {
		if c >= 'A' {
			out += string(c - 'A' + '0')
		}
	}
	return out[:4]
}

// offsetKey loads the verification key of an IBM 3624 vector with its rule.
func (s *suite) offsetKey(v vector) *hsm.Key {
	s.Helper()
	spec := s.spec(hsm.PVKOffset)
	if v.text("decimalisation_table") != "" {
		spec.Offset = hsm.OffsetRule{
			Table: [16]byte([]byte(v.text("decimalisation_table"))),
			Start: uint8(v.number("validation_start")), Length: uint8(v.number("validation_length")), Pad: v.text("validation_pad")[0],
		}
	}
	k, err := s.m.LoadClear(s.Context(), spec, clearKey(s, v.bytes(s, "pvk")))
	if err != nil {
		s.Fatalf("%s: %v", v.ID, err)
	}
	return &k
}

// checkOffset wants the offset of pin to be want, computed and verified.
func (s *suite) checkOffset(v vector, pvk *hsm.Key, pan, pin, want string) {
	s.Helper()
	for _, f := range []hsm.PINFormat{hsm.ISO0, hsm.ISO1, hsm.ISO3, hsm.ISO4} {
		in := s.arrived(hsm.TPK, f, unhex(s, otherKey), pin, pan)
		got, err := s.m.GenerateOffset(s.Context(), in, pvk)
		if err != nil || string(got) != want {
			s.Errorf("%s from %s: offset %s, %v; want %s", v.ID, f, got, err, want)
		}
		if err := s.m.VerifyOffset(s.Context(), in, hsm.PINOffset{Key: pvk, Value: []byte(want)}); err != nil {
			s.Errorf("%s from %s: %v", v.ID, f, err)
		}
		for i := range want {
			wrong := []byte(want)
			wrong[i] ^= 1
			if err := s.m.VerifyOffset(s.Context(), in, hsm.PINOffset{Key: pvk, Value: wrong}); !errors.Is(err, hsm.ErrPIN) {
				s.Errorf("%s from %s: digit %d wrong: %v, want ErrPIN", v.ID, f, i, err)
			}
		}
	}
}

// offsetVectors runs the whole of ibm3624.json through a driver. No driver gives
// a natural PIN away: that it is the right one shows in offsets against it.
func offsetVectors(s *suite) {
	n := 0
	for _, v := range loadAll(s, "ibm3624") {
		n++
		pvk := s.offsetKey(v)
		switch v.Function {
		case "pin.ibm3624.offset":
			s.checkOffset(v, pvk, v.text("pan"), v.text("pin"), v.want())
		case "pin.ibm3624.pin_from_offset":
			s.checkOffset(v, pvk, v.text("pan"), v.want(), v.text("offset"))
		case "pin.ibm3624.natural_pin":
			s.checkOffset(v, pvk, v.text("pan"), v.want(), "0000")
		case "pin.ibm3624.encrypted_validation_data":
			natural := strings.Map(func(c rune) rune { return rune(testTable[strings.IndexRune("0123456789ABCDEF", c)]) }, v.want())
			s.checkOffset(v, pvk, v.text("validation_data"), natural[:12], "000000000000")
			s.checkOffset(v, pvk, v.text("validation_data"), natural[:4], "0000")
		default:
			s.Errorf("%s: no way to run %s", v.ID, v.Function)
		}
	}
	s.count(n, 18)
}
