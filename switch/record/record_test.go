// SPDX-License-Identifier: Apache-2.0

package record

import (
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"tapswitch/internal/money"
	"tapswitch/switch/journal"
	"tapswitch/switch/txn"
)

var rewrite = flag.Bool("rewrite", false, "write a golden file that does not exist yet")

// full is a payment with every field at its longest.
func full() *txn.Payment {
	at := time.Date(2026, 11, 23, 1, 2, 3, 456, time.UTC)
	p := &txn.Payment{
		Key:         txn.Key{Terminal: txn.TerminalID([]byte("10000001")), Merchant: txn.MerchantID([]byte("123456789012345")), Batch: 999999, Trace: 999999, Class: txn.Purchase, Type: 22},
		Fingerprint: txn.Fingerprint([]byte("0123456789abcdef")),
		Masked:      "622424*********0069",
		Token:       [16]byte([]byte("fedcba9876543210")),
		SealedPAN:   []byte(strings.Repeat("s", 19+28)),
		Amount:      money.Amount{Minor: money.Max, Currency: money.CNY},
		Expiry:      [4]byte([]byte("3012")), PSN: [3]byte([]byte("001")), Entry: [3]byte([]byte("071")), Cond: [2]byte([]byte("00")),
		PINGiven: true, ChipRead: true, Link: "acq-a",
		Numbers: txn.Numbers{STAN: 999999, At: at, RRN: txn.RRN([]byte("632700000001"))},
	}
	return p
}

func answer() txn.Answer {
	return txn.Answer{
		Code: txn.CodeApproved, Reason: txn.DeclineAnswerKey.Reason, Auth: [6]byte([]byte("A1B2C3")), RRN: txn.RRN([]byte("632700000001")),
		At: time.Date(2026, 11, 23, 1, 2, 4, 5, time.UTC), SettleMD: [4]byte([]byte("1123")), ICC: []byte{0x91, 10, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10},
	}
}

func undo() Undo {
	return Undo{Event: txn.TimedOut, Reason: txn.DeclineNoAnswer.Reason, Numbers: txn.Numbers{STAN: 1, At: time.Date(2026, 11, 23, 1, 2, 9, 0, time.UTC), RRN: txn.RRN([]byte("632700000001"))}}
}

func records() []journal.Record {
	p := full()
	refused := full()
	refused.Answer = answer()
	return []journal.Record{
		Intent(p), Refused(refused), MakeOutcome(p, Outcome{Event: txn.SaidYes, Answer: answer()}), MakeUndo(p.Key, undo()),
		MakeUndone(p, Undone{Event: txn.UndoAcked, Code: txn.CodeApproved}), Tombstone(p.Key),
		MakeTries(p.Token, Tries{Count: 2, Payment: p.Key}),
	}
}

// records2 are records that need the second version.
func records2() []journal.Record {
	p := full()
	p.Key.Class, p.Key.Type, p.Amount.Minor = txn.Balance, 1, 0
	a := answer()
	a.Funds = txn.Funds{Available: money.Amount{Minor: 1234, Currency: money.CNY}, Debit: true}
	void := full()
	void.Key.Class, void.Key.Type, void.Original = txn.Void, 23, full().Key
	return []journal.Record{MakeOutcome(p, Outcome{Event: txn.SaidYes, Answer: a}), MakeOutcome(p, Outcome{Event: txn.Closed, Answer: answer()}), Intent(void)}
}

// refunds are records of the class that came after the second version: of fields,
// the original's reference number is new.
func refunds() []journal.Record {
	refund := full()
	refund.Key.Class, refund.Key.Type, refund.Original, refund.OfRRN, refund.Undoes = txn.Refund, 25, full().Key, full().Numbers.RRN, true
	refund.Reserved = FollowUps
	return []journal.Record{Intent(refund), MakeCase(refund, txn.Case{Why: txn.CaseRefundUnanswered, At: time.Date(2026, 11, 29, 1, 2, 9, 7, time.UTC)})}
}

// cases are records of the kind that came after the second version; no field of
// theirs is new.
func cases() []journal.Record {
	at := time.Date(2026, 11, 26, 1, 2, 9, 7, time.UTC)
	return []journal.Record{MakeCase(full(), txn.Case{Why: txn.CaseRefused, Code: txn.CodeFormat, At: at}), MakeCase(full(), txn.Case{Why: txn.CaseExpired, At: at})}
}

// advices are records of the kinds of an advice, with old fields alone.
func advices() []journal.Record {
	p := full()
	p.Key.Class, p.Key.Type, p.Answer, p.PINGiven, p.ChipRead = txn.OfflineSale, 30, answer(), false, false
	return []journal.Record{Advice(p), MakeAdvised(p, Advised{Code: txn.CodeApproved, At: time.Date(2026, 11, 26, 1, 2, 9, 7, time.UTC)})}
}

// parts are records of an approval in part.
func parts() []journal.Record {
	p := full()
	p.TakesPart = true
	a := answer()
	a.Code, a.Part = txn.CodePartial, money.Max-1
	return []journal.Record{Intent(p), MakeOutcome(p, Outcome{Event: txn.SaidYes, Answer: a})}
}

// What was approved of a payment, and that its terminal takes a part, is read as it
// was written; a part that is none is damage.
func TestPart(t *testing.T) {
	p, err := ParsePayment(full().Key, parts()[0].Body)
	if err != nil || !p.TakesPart || !p.PINGiven || p.Worth() != full().Amount {
		t.Errorf("%+v %v", p, err)
	}
	o, err := ParseOutcome(parts()[1].Body)
	if err != nil || !o.Answer.Approved() || o.Answer.Part != money.Max-1 {
		t.Errorf("%+v %v", o, err)
	}
	if p, err := ParsePayment(full().Key, cashbacks()[0].Body); err != nil || p.Cash != money.Max-1 {
		t.Errorf("cash %d, %v", p.Cash, err)
	}
	for _, bad := range [][]byte{make([]byte, 8), {0, 0, 0, 0, 0, 0, 1}, {0x80, 0, 0, 0, 0, 0, 0, 0}, {0, 1, 0, 0, 0, 0, 0, 0}} {
		e := newEncoder(nil)
		e.bytes(tagPart, bad)
		if _, err := ParseOutcome(e.buf); err == nil {
			t.Errorf("part %x was taken", bad)
		}
	}
}

// cashbacks are records of a purchase with cashback.
func cashbacks() []journal.Record {
	p := full()
	p.Key.Class, p.Cash = txn.Cashback, money.Max-1
	return []journal.Record{Intent(p)}
}

// adjustments are records of an adjustment.
func adjustments() []journal.Record {
	p := full()
	p.Key.Class, p.Key.Type, p.Answer, p.PINGiven, p.ChipRead = txn.Adjustment, 34, answer(), false, false
	p.Original, p.OfRRN, p.Of, p.Was = full().Key, full().Numbers.RRN, full().Numbers, money.Max-1
	return []journal.Record{Advice(p)}
}

// scriptResults are records of what a card did with a script.
func scriptResults() []journal.Record {
	p := full()
	p.Key.Class, p.Answer, p.PINGiven, p.ChipRead = txn.ScriptResult, answer(), false, true
	p.Original, p.OfRRN, p.Of, p.Script = full().Key, full().Numbers.RRN, full().Numbers, []byte("\x9F\x5B\x05\x20\x00\x00\x00\x01\x95\x05\x00\x00\x04\x80\x00")
	return []journal.Record{Advice(p)}
}

// What a script's result says is read as it was written.
func TestScriptResult(t *testing.T) {
	if p, err := ParsePayment(full().Key, scriptResults()[0].Body); err != nil || string(p.Script) != "\x9F\x5B\x05\x20\x00\x00\x00\x01\x95\x05\x00\x00\x04\x80\x00" || p.Of != full().Numbers || p.Original != full().Key {
		t.Errorf("%+v %v", p, err)
	}
}

// What an adjustment is about is read as it was written.
func TestAdjustment(t *testing.T) {
	p, err := ParsePayment(full().Key, adjustments()[0].Body)
	if err != nil || p.Of != full().Numbers || p.Was != money.Max-1 || p.Original != full().Key || p.OfRRN != full().Numbers.RRN {
		t.Errorf("%+v %v", p, err)
	}
}

// acts are records of the kind that came with the operator's tools, each as long
// as it can be.
func acts() (all []journal.Record) {
	at := time.Date(2026, 11, 29, 3, 12, 0, 7, time.UTC)
	for d := txn.Hold; d <= txn.FoundStands; d++ { // what is done to payments
		a := txn.Act{What: d, By: strings.Repeat("b", txn.ByMax), Why: strings.Repeat("w", txn.WhyMax), At: at}
		if d == txn.Drop {
			a.Code = txn.CodeMalfunction
		}
		all = append(all, MakeAct(full(), a))
	}
	return all
}

// seals are records that say under which key the card number is sealed.
func seals() []journal.Record {
	p := full()
	p.SealedBy = txn.KeyRef{Name: "store/pan-seal", Version: 2}
	told := *p
	told.Key.Class, told.Key.Type, told.Answer, told.PINGiven, told.ChipRead = txn.OfflineSale, 30, answer(), false, false
	return []journal.Record{Intent(p), Refused(p), Advice(&told)}
}

// Which key it is is read back, and nothing else is; what earlier versions stored
// says none.
func TestSealedBy(t *testing.T) {
	want := txn.KeyRef{Name: "store/pan-seal", Version: 2}
	for _, r := range seals() {
		if p, err := ParsePayment(full().Key, r.Body); err != nil || p.SealedBy != want || !reflect.DeepEqual(p.SealedPAN, full().SealedPAN) {
			t.Errorf("%s: %+v, %v", KindName(r.Kind), p.SealedBy, err)
		}
	}
	if p, err := ParsePayment(full().Key, records()[0].Body); err != nil || p.SealedBy != (txn.KeyRef{}) {
		t.Errorf("an old record: %+v, %v", p.SealedBy, err)
	}
	for name, v := range map[string][]byte{"no name": {0, 0, 0, 2}, "short": {0}, "too long": make([]byte, 4+keyNameMax+1)} {
		e := newEncoder(nil)
		e.bytes(tagSealedBy, v)
		if p, err := ParsePayment(full().Key, e.buf); !errors.Is(err, ErrForm) {
			t.Errorf("%s: %+v, %v", name, p.SealedBy, err)
		}
	}
}

// The golden files hold what each version wrote; they are never edited.
func TestGolden(t *testing.T) {
	golden(t, "testdata/v1.txt", records())
	golden(t, "testdata/v2.txt", records2())
	golden(t, "testdata/v2_case.txt", cases())
	golden(t, "testdata/v2_advice.txt", advices())
	golden(t, "testdata/v2_refund.txt", refunds())
	golden(t, "testdata/v2_part.txt", parts())
	golden(t, "testdata/v2_cashback.txt", cashbacks())
	golden(t, "testdata/v2_adjustment.txt", adjustments())
	golden(t, "testdata/v2_script.txt", scriptResults())
	golden(t, "testdata/v2_counter.txt", counters())
	golden(t, "testdata/v2_standin.txt", standIns())
	golden(t, "testdata/v2_act.txt", acts())
	golden(t, "testdata/v2_seal.txt", seals())
	golden(t, "testdata/v2_rerouted.txt", reroutes())
}

func golden(t *testing.T, file string, all []journal.Record) {
	t.Helper()
	var got strings.Builder
	for _, r := range all {
		fmt.Fprintf(&got, "%s %s %s\n", KindName(r.Kind), hex.EncodeToString(r.Key), hex.EncodeToString(r.Body))
	}
	want, err := os.ReadFile(file)
	if os.IsNotExist(err) && *rewrite {
		if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("the format changed: a new version needs a new version byte and a new golden file\n%s", got.String())
	}
}

func TestRoundTrip(t *testing.T) {
	rs := records()
	p, err := ParsePayment(full().Key, rs[0].Body)
	if err != nil || !reflect.DeepEqual(p, full()) {
		t.Errorf("intent: %+v, %v", p, err)
	}
	refused, err := ParsePayment(full().Key, rs[1].Body)
	if err != nil || !reflect.DeepEqual(refused.Answer, answer()) {
		t.Errorf("refused: %+v, %v", refused, err)
	}
	if o, err := ParseOutcome(rs[2].Body); err != nil || o.Event != txn.SaidYes || !reflect.DeepEqual(o.Answer, answer()) {
		t.Errorf("outcome: %+v, %v", o, err)
	}
	if u, err := ParseUndo(rs[3].Body); err != nil || !reflect.DeepEqual(u, undo()) {
		t.Errorf("undo: %+v, %v", u, err)
	}
	if u, err := ParseUndone(rs[4].Body); err != nil || u != (Undone{txn.UndoAcked, txn.CodeApproved}) {
		t.Errorf("undone: %+v, %v", u, err)
	}
	if token, tr, err := ParseTries(rs[6].Key, rs[6].Body); err != nil || token != full().Token || tr != (Tries{2, full().Key}) {
		t.Errorf("tries: %+v, %v", tr, err)
	}
}

// A case is read as it was written, needs its event and its reason, and takes a
// payment that is being reversed where no answer moves it.
func TestCase(t *testing.T) {
	for i, why := range txn.CaseReasons()[:len(cases())] {
		r := cases()[i]
		c, err := ParseCase(r.Body)
		if err != nil || c.Why != why || c.At != time.Date(2026, 11, 26, 1, 2, 9, 7, time.UTC) || (c.Code == txn.CodeFormat) != (i == 0) {
			t.Errorf("%s: %+v, %v", why, c, err)
		}
		p, fold := full(), func(p *txn.Payment, r journal.Record) *txn.Payment {
			p, err := Fold(p, full().Key, r)
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		p = fold(fold(nil, Intent(p)), MakeUndo(p.Key, undo()))
		if p = fold(p, MakeCase(p, c)); p.State != txn.Disputed || p.Case != c || p.Reserved != 0 {
			t.Errorf("%s: %s, case %+v, %d bytes kept", why, p.State, p.Case, p.Reserved)
		}
		if _, err := Fold(p, p.Key, MakeUndone(p, Undone{Event: txn.UndoAcked, Code: txn.CodeApproved})); err == nil {
			t.Errorf("%s: an acknowledgement after the case was folded", why)
		}
	}
	event, reason := []byte{tagEvent, 1, byte(txn.CaseOpened)}, []byte{tagReason, 1, 'x'}
	for name, fields := range map[string][]byte{
		"empty": nil, "no reason": event, "no event": reason, "another event": append([]byte{tagEvent, 1, byte(txn.UndoAcked)}, reason...),
		"short code": append(append([]byte{tagCode, 1, '0'}, event...), reason...), "short time": append(append([]byte{tagAt, 1, 0}, event...), reason...),
		"a foreign field": append(append([]byte{tagCount, 1, 0}, event...), reason...),
	} {
		if c, err := ParseCase(append([]byte{version}, fields...)); !errors.Is(err, ErrForm) {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
	if _, err := ParseCase(append([]byte{3}, cases()[0].Body[1:]...)); !errors.Is(err, ErrVersion) {
		t.Errorf("another version: %v", err)
	}
}

// An advice owes its acquirer a message until it is acknowledged, or a person has
// it; then it keeps no room. Its acknowledgement needs its event.
func TestAdvice(t *testing.T) {
	r := advices()
	for _, c := range []struct {
		end  func(*txn.Payment) journal.Record
		want txn.State
	}{
		{func(p *txn.Payment) journal.Record { return MakeAdvised(p, Advised{Code: txn.CodeDuplicate}) }, txn.Advised},
		{func(p *txn.Payment) journal.Record { return MakeCase(p, txn.Case{Why: txn.CaseAdviceRefused}) }, txn.Disputed},
	} {
		k, _ := ParseKey(r[0].Key)
		p, err := Fold(nil, k, r[0])
		if err != nil || p.State != txn.Advising || p.Reserved != AdviceRoom || !reflect.DeepEqual(p.Answer, answer()) || Over(p) {
			t.Fatalf("%+v, %v", p, err)
		}
		if p, err = Fold(p, k, c.end(p)); err != nil || p.State != c.want || p.Reserved != 0 || Over(p) != (c.want == txn.Advised) {
			t.Errorf("%s: %+v, %v", c.want, p, err)
		}
		if _, err := Fold(p, k, r[1]); err == nil {
			t.Errorf("%s: a second acknowledgement was folded", c.want)
		}
	}
	if a, err := ParseAdvised(r[1].Body); err != nil || a.Code != txn.CodeApproved || a.At.IsZero() {
		t.Errorf("%+v, %v", a, err)
	}
	for name, body := range map[string][]byte{
		"no event": {version, tagCode, 2, '0', '0'}, "another event": {version, tagEvent, 1, byte(txn.UndoAcked)}, "short code": {version, tagEvent, 1, byte(txn.AdviceAcked), tagCode, 1, '0'},
		"short time": {version, tagEvent, 1, byte(txn.AdviceAcked), tagAt, 1, 0}, "a foreign field": {version, tagEvent, 1, byte(txn.AdviceAcked), tagCount, 1, 0},
	} {
		if a, err := ParseAdvised(body); !errors.Is(err, ErrForm) {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
}

// A field of the second version is read there and refused in a first one.
func TestSecondVersion(t *testing.T) {
	r := records2()[0]
	o, err := ParseOutcome(r.Body)
	want := txn.Funds{Available: money.Amount{Minor: 1234, Currency: money.CNY}, Debit: true}
	if err != nil || o.Answer.Funds != want || r.Body[0] != version2 {
		t.Errorf("%+v, version %d, %v", o.Answer.Funds, r.Body[0], err)
	}
	if _, err := ParseOutcome(append([]byte{version}, r.Body[1:]...)); !errors.Is(err, ErrForm) {
		t.Errorf("a first version with a field of the second: %v", err)
	}
	void := records2()[2]
	if k, err := ParseKey(void.Key); err != nil || k.Class != txn.Void {
		t.Errorf("void: %+v %v", k, err)
	}
	if p, err := ParsePayment(txn.Key{}, void.Body); err != nil || p.Original != full().Key {
		t.Errorf("original %+v %v", p.Original, err)
	}
	given, err := ParsePayment(txn.Key{}, refunds()[0].Body)
	if err != nil || given.Original != full().Key || given.OfRRN != full().Numbers.RRN || !given.Undoes {
		t.Errorf("refund %+v %v", given, err)
	}
	if p, err := Fold(nil, full().Key, refunds()[0]); err != nil {
		t.Error(err)
	} else if p, err = Fold(p, full().Key, refunds()[1]); err != nil || p.State != txn.Disputed || p.Reserved != 0 {
		t.Errorf("a case after the intent of a refund: %s, %d bytes kept, %v", p.State, p.Reserved, err)
	}
	if plain := records2()[1]; plain.Body[0] != version {
		t.Errorf("what needs no new field is of version %d", plain.Body[0])
	}
}

// What an intent reserves must hold its longest outcome, undo and undone, each
// with the journal's own overhead.
func TestFollowUpsFit(t *testing.T) {
	const overhead = journal.Overhead
	size := func(r journal.Record) int { return len(r.Key) + len(r.Body) + overhead }
	rs := records()
	rs[2] = records2()[0]                                                                        // the longest outcome
	undoing := size(rs[3]) + max(size(rs[4]), size(cases()[0]), size(acts()[txn.Drop-txn.Hold])) // a case or a drop ends an undo instead
	if all := size(rs[2]) + undoing + 256; all > FollowUps {                                     // 256: field 55 of an answer may be longer than tag 91
		t.Errorf("follow-ups take %d of %d bytes", all, FollowUps)
	}
	if end := max(size(advices()[1]), size(cases()[0]), size(acts()[txn.Drop-txn.Hold])); end > AdviceRoom {
		t.Errorf("the end of an advice takes %d of %d bytes", end, AdviceRoom)
	}
	if end := size(MakeOutcome(full(), Outcome{Event: txn.NotSent, Answer: txn.Refusal(txn.DeclineOriginalDiffers, answer().At)})); end > AdviceRoom {
		t.Errorf("the end of an advice that is withdrawn takes %d of %d bytes", end, AdviceRoom)
	}
	if undoing > UndoRoom {
		t.Errorf("undo and what ends it take %d of %d bytes", undoing, UndoRoom)
	}
}

func TestReservesAddUpToNothing(t *testing.T) {
	p := full()
	r := Intent(p)
	p.Reserved, p.State = r.Reserve, txn.Intended // as the index has it: Forwarded is not stored
	yes := MakeOutcome(p, Outcome{Event: txn.SaidYes, Answer: answer()})
	if p.Reserved+yes.Reserve != UndoRoom {
		t.Errorf("an approval keeps %d", p.Reserved+yes.Reserve)
	}
	p.Reserved += yes.Reserve
	if p.Reserved+MakeUndone(p, Undone{}).Reserve != 0 {
		t.Error("a reversed payment keeps room")
	}
	p.Reserved, p.State = r.Reserve, txn.Sent
	if no := MakeOutcome(p, Outcome{Event: txn.SaidNo}); p.Reserved+no.Reserve != 0 {
		t.Error("a declined payment keeps room")
	}
	p.State = txn.Reversing
	if late := MakeOutcome(p, Outcome{Event: txn.SaidNo}); p.Reserved+late.Reserve != UndoRoom {
		t.Error("a payment being reversed must keep room for its end")
	}
}

func TestDamagedBodiesAreErrors(t *testing.T) {
	for _, r := range records()[:5] {
		parse := map[byte]func([]byte) error{
			KindIntent:  func(b []byte) error { _, err := ParsePayment(txn.Key{}, b); return err },
			KindRefused: func(b []byte) error { _, err := ParsePayment(txn.Key{}, b); return err },
			KindOutcome: func(b []byte) error { _, err := ParseOutcome(b); return err },
			KindUndo:    func(b []byte) error { _, err := ParseUndo(b); return err },
			KindUndone:  func(b []byte) error { _, err := ParseUndone(b); return err },
		}[r.Kind]
		if parse(nil) == nil || parse(append([]byte{3}, r.Body[1:]...)) == nil {
			t.Errorf("%s: another version was read", KindName(r.Kind))
		}
		if parse(append(append([]byte(nil), r.Body...), 250, 1, 0)) == nil {
			t.Errorf("%s: an unknown field was skipped", KindName(r.Kind))
		}
		if parse(append(append([]byte(nil), r.Body...), tagEvent, 9)) == nil {
			t.Errorf("%s: a field beyond the end was read", KindName(r.Kind))
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, r := range slices.Concat(records(), records2(), cases(), advices(), refunds(), parts(), cashbacks(), adjustments(), scriptResults(), counters(), standIns(), acts()) {
		f.Add(r.Key, r.Body)
	}
	f.Fuzz(func(t *testing.T, key, body []byte) {
		if k, err := ParseKey(key); err == nil && string(AppendKey(nil, k)) != string(key) {
			t.Error("key does not survive")
		}
		ParsePayment(txn.Key{}, body)
		ParseOutcome(body)
		ParseUndo(body)
		ParseUndone(body)
		ParseCase(body)
		ParseAdvised(body)
		ParseAct(body)
		ParseTries(key, body)
	})
}
