// SPDX-License-Identifier: Apache-2.0

package chip

import (
	"context"
	"encoding/hex"
	"errors"
	"testing"

	"tapswitch/hsm"
	"tapswitch/internal/money"
	"tapswitch/internal/secret"
	"tapswitch/switch/txn"
)

// The shared UnionPay sale's own field 55, without the tags not read here.
const good = "9F260846FD62985CAAE759" + "9F270180" + "9F0206000000001111" + "5F2A020156" + "57106224242300000069D2903201000000FF"

func request(t *testing.T, icc string) *txn.Request {
	t.Helper()
	data, err := hex.DecodeString(icc)
	if err != nil {
		t.Fatal(err)
	}
	in := &txn.Request{Amount: money.Amount{Minor: 1111, Currency: money.CNY}}
	in.Card.PAN, _ = secret.NewPAN([]byte("6224242300000069"))
	in.Card.ICC, _ = secret.NewICC(data)
	return in
}

func TestConsistent(t *testing.T) {
	if err := Consistent(request(t, good)); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		icc  string
		want *txn.Decline
	}{
		"other amount":     {"9F270180" + "9F0206000000001112" + "5F2A020156", txn.DeclineChipData},
		"no amount":        {"9F270180" + "5F2A020156", txn.DeclineChipData},
		"other currency":   {"9F270180" + "9F0206000000001111" + "5F2A020840", txn.DeclineChipData},
		"offline decline":  {"9F270100" + "9F0206000000001111" + "5F2A020156", txn.DeclineChipData},
		"offline approval": {"9F270140" + "9F0206000000001111" + "5F2A020156", txn.DeclineChipData},
		"other card":       {"9F0206000000001111" + "5F2A020156" + "57106224242300000070D2903201000000FF", txn.DeclineTrack},
		"torn":             {"9F0206000000001111" + "5F2A0201", txn.DeclineChipData},
	} {
		if err := Consistent(request(t, c.icc)); !errors.Is(err, c.want) && txn.AsDecline(err).Reason != c.want.Reason {
			t.Errorf("%s: %v", name, err)
		}
	}
}

type module struct {
	err error
	got hsm.Cryptogram
}

func (m *module) VerifyARQC(_ context.Context, _ *hsm.Key, c hsm.Cryptogram) error {
	m.got = c
	return m.err
}

func (m *module) ARPC(_ context.Context, _ *hsm.Key, c hsm.Cryptogram, arc [2]byte) ([10]byte, error) {
	m.got = c
	return [10]byte{1, 2, 3, 4, 5, 6, 7, 8, arc[0], arc[1]}, m.err
}

func (m *module) ARPC2(_ context.Context, _ *hsm.Key, c hsm.Cryptogram, csu hsm.CSU) ([]byte, error) {
	m.got = c
	return append([]byte{9, 9, 9, 9}, csu.Status[:]...), m.err
}

// TestAnswerByProfile: method, code and status update are the issuer's.
func TestAnswerByProfile(t *testing.T) {
	m, in := &module{}, request(t, good)
	answer := Answer{ARC: [2]byte{0x00, 0x10}, CSU: [4]byte{0x00, 0x82, 0x00, 0x00}}
	for _, c := range []struct {
		profile hsm.Profile
		answer  Answer
		code    txn.Code
		want    string
	}{
		{hsm.MChipCVN20, answer, txn.CodeApproved, "910a01020304050607080010"},
		{hsm.MChipCVN20, answer, txn.Code{'0', '5'}, "910a01020304050607083035"},
		{hsm.MChipCVN20, Answer{}, txn.CodeApproved, "910a01020304050607083030"},
		{hsm.CCD, answer, txn.CodeApproved, "91080909090900820000"},
		{hsm.VisaCVN18, answer, txn.CodeApproved, "91080909090900820000"},
		{hsm.VisaCVN22, answer, txn.Code{'0', '5'}, "91080909090900000000"},
	} {
		is := Issuer{Profile: c.profile, Option: hsm.OptionB, Answer: c.answer, IMK: &hsm.Key{}}
		out, err := Checker{m}.Respond(context.Background(), in, is, c.code)
		if err != nil || hex.EncodeToString(out) != c.want {
			t.Errorf("profile %d, code %s: %x, %v; want %s", c.profile, c.code[:], out, err, c.want)
		}
		if m.got.Profile != c.profile || m.got.Option != hsm.OptionB {
			t.Errorf("profile %d reaches the module as %d with option %d", c.profile, m.got.Profile, m.got.Option)
		}
	}
}

func TestCheckAndRespond(t *testing.T) {
	m := &module{}
	in := request(t, good)
	in.PSN = [3]byte{'0', '0', '3'}
	is := Issuer{Profile: hsm.UnionPayCVN01, IMK: &hsm.Key{}}
	if err := (Checker{m}).Check(context.Background(), in, is); err != nil {
		t.Fatal(err)
	}
	if string(m.got.PSN[:]) != "03" || m.got.Profile != hsm.UnionPayCVN01 {
		t.Errorf("psn %s", m.got.PSN)
	}
	out, err := (Checker{m}).Respond(context.Background(), in, is, txn.CodeApproved)
	if err != nil || hex.EncodeToString(out) != "910a01020304050607083030" {
		t.Errorf("%x %v", out, err)
	}
	m.err = hsm.ErrCryptogram
	if err := (Checker{m}).Check(context.Background(), in, is); txn.AsDecline(err).Reason != txn.DeclineCryptogram.Reason {
		t.Errorf("forged: %v", err)
	}
	in.Card.ICC = secret.ICC{}
	if err := (Checker{m}).Check(context.Background(), in, is); txn.AsDecline(err).Reason != txn.DeclineChipData.Reason {
		t.Errorf("no chip data: %v", err)
	}
}
