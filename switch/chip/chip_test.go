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

func (m *module) ARPC(context.Context, *hsm.Key, hsm.Cryptogram, [2]byte) ([10]byte, error) {
	return [10]byte{1, 2, 3, 4, 5, 6, 7, 8, '0', '0'}, m.err
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
