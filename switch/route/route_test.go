// SPDX-License-Identifier: Apache-2.0

package route

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tapswitch/internal/secret"
)

// fictitious is a small table of invented ranges.
var fictitious = []Range{
	{Line: 2, Low: "622424", High: "622424", Scheme: "unionpay", Links: []string{"north", "south"}},
	{Line: 3, Low: "62999999", High: "62999999", Scheme: "house", OnUs: true, IssuerProfile: "house-credit"},
	{Line: 4, Low: "4761739001", High: "4761739001", Scheme: "visa", Links: []string{"south"}},
	{Line: 5, Low: "51", High: "55", Scheme: "mastercard", Links: []string{"south", "north"}},
	{Line: 6, Low: "62242500000", High: "62242500009", Scheme: "unionpay", Links: []string{"north"}, OnUs: true, IssuerProfile: "test"},
}

func pan(t testing.TB, digits string) secret.PAN {
	t.Helper()
	p, err := secret.NewPAN([]byte(digits))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestChoose(t *testing.T) {
	table, err := New(fictitious)
	if err != nil {
		t.Fatal(err)
	}
	all := "north south"
	for _, c := range []struct {
		name, pan, up string
		want          Decision
		err           error
	}{
		{"first candidate", "6224240000000069", all, Decision{Scheme: "unionpay", Link: "north"}, nil},
		{"second candidate", "6224240000000069", "south", Decision{Scheme: "unionpay", Link: "south"}, nil},
		{"no candidate", "6224240000000069", "", Decision{}, ErrNoHealthyLink},
		{"order is the range's own", "5413330089020011", all, Decision{Scheme: "mastercard", Link: "south"}, nil},
		{"on-us needs no link", "6299999999999999", "", Decision{Scheme: "house", OnUs: true, IssuerProfile: "house-credit"}, nil},
		{"on-us with links needs one", "6224250000512345", "south", Decision{}, ErrNoHealthyLink},
		{"eleven digits, last", "6224250000900000", all, Decision{Scheme: "unionpay", Link: "north", OnUs: true, IssuerProfile: "test"}, nil},
		{"eleven digits, one above", "6224250001000000", all, Decision{}, ErrNoRoute},
		{"gap", "6224260000000000", all, Decision{}, ErrNoRoute},
		{"below all", "4000000000000000", all, Decision{}, ErrNoRoute},
		{"above all", "9000000000000000", all, Decision{}, ErrNoRoute},
		{"short number within", "62242400", all, Decision{Scheme: "unionpay", Link: "north"}, nil},
		{"short number not wholly within", "62242500", all, Decision{}, ErrNoRoute},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := table.Choose(pan(t, c.pan), func(l string) bool { return strings.Contains(c.up, l) })
			if got != c.want || !errors.Is(err, c.err) {
				t.Errorf("got %+v, %v; want %+v, %v", got, err, c.want, c.err)
			}
			if err != nil && strings.Contains(err.Error(), c.pan[:6]) {
				t.Errorf("the error shows digits of the card: %v", err)
			}
		})
	}
	if _, err := table.Choose(secret.PAN{}, nil); !errors.Is(err, ErrNoRoute) {
		t.Errorf("no card number: %v", err)
	}
	if got := strings.Join(table.LinkNames(), " "); got != "north south" {
		t.Errorf("link names: %s", got)
	}
}

func TestTableRefusals(t *testing.T) {
	ok := Range{Line: 7, Low: "41", High: "42", Scheme: "s", Links: []string{"a"}}
	with := func(f func(*Range)) []Range { r := ok; f(&r); return []Range{r} }
	for _, c := range []struct {
		name   string
		ranges []Range
		want   string // a part of the error
	}{
		{"letters", with(func(r *Range) { r.Low = "4x" }), "line 7 (4x-42): low and high are 1 to 11 decimal digits"},
		{"empty", with(func(r *Range) { r.High = "" }), "decimal digits"},
		{"twelve digits", with(func(r *Range) { r.Low, r.High = "410000000000", "420000000000" }), "decimal digits"},
		{"lengths", with(func(r *Range) { r.High = "420" }), "different lengths"},
		{"order", with(func(r *Range) { r.Low = "43" }), "low is above high"},
		{"scheme", with(func(r *Range) { r.Scheme = "" }), "scheme is missing"},
		{"nobody", with(func(r *Range) { r.Links = nil }), "nobody could answer"},
		{"too many", with(func(r *Range) { r.Links = strings.Split("a b c d e f g h i", " ") }), "9 links, at most 8"},
		{"empty link", with(func(r *Range) { r.Links = []string{""} }), "link name is empty"},
		{"link twice", with(func(r *Range) { r.Links = []string{"a", "b", "a"} }), `link "a" stands twice`},
		{"on-us alone", with(func(r *Range) { r.OnUs = true }), "go together"},
		{"profile alone", with(func(r *Range) { r.IssuerProfile = "p" }), "go together"},
		{"overlap", []Range{ok, {Line: 3, Low: "4200", High: "4201", Scheme: "s", Links: []string{"a"}}},
			"line 7 (41-42) overlaps line 3 (4200-4201)"},
		{"overlap behind another", []Range{
			{Line: 1, Low: "4", High: "4", Scheme: "s", Links: []string{"a"}},
			{Line: 2, Low: "40", High: "40", Scheme: "s", Links: []string{"a"}},
			{Line: 3, Low: "49", High: "49", Scheme: "s", Links: []string{"a"}}},
			"line 3 (49-49) overlaps line 1 (4-4)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := New(c.ranges)
			if !errors.Is(err, ErrTable) || !strings.Contains(fmt.Sprint(err), c.want) {
				t.Errorf("got %v; want %q", err, c.want)
			}
		})
	}
	if _, err := New(make([]Range, MaxRanges+1)); !errors.Is(err, ErrTable) {
		t.Errorf("too many ranges: %v", err)
	}
}

// The table does not change when the caller's slice does.
func TestTableIsImmutable(t *testing.T) {
	links := []string{"a"}
	table, err := New([]Range{{Low: "4", High: "4", Scheme: "s", Links: links}})
	if err != nil {
		t.Fatal(err)
	}
	links[0] = "b"
	d, err := table.Choose(pan(t, "4111111111111111"), func(string) bool { return true })
	if err != nil || d.Link != "a" {
		t.Errorf("got %+v, %v", d, err)
	}
}

// Halving finds what a linear walk finds, for any table and any number.
func TestLookupIsLinearSearch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var ranges []Range
		for i := range rapid.IntRange(0, 30).Draw(t, "n") {
			n := rapid.IntRange(1, MaxDigits).Draw(t, "digits")
			low := rapid.StringOfN(rapid.RuneFrom([]rune("0123456789")), n, n, -1).Draw(t, "low")
			high := low[:n-1] + string(rapid.ByteRange(low[n-1], '9').Draw(t, "last"))
			next := append(ranges, Range{Line: i, Low: low, High: high, Scheme: fmt.Sprint(i), Links: []string{"l"}})
			if _, err := New(next); err == nil { // overlaps are left out
				ranges = next
			}
		}
		table, err := New(ranges)
		if err != nil {
			t.Fatal(err)
		}
		digits := rapid.StringMatching(`[0-9]{8,19}`).Draw(t, "pan")
		if len(ranges) > 0 && rapid.Bool().Draw(t, "near") { // aim at an edge
			r := ranges[rapid.IntRange(0, len(ranges)-1).Draw(t, "which")]
			digits = (r.High + digits)[:min(len(r.High)+len(digits), 16)]
		}
		want := ""
		for _, r := range ranges {
			k := len(r.Low) // a number belongs when its first digits lie within
			if k <= len(digits) && r.Low <= digits[:k] && digits[:k] <= r.High {
				want = r.Scheme
			}
			if k > len(digits) && number(r.Low, '0') <= number(digits, '0') && number(digits, '9') <= number(r.High, '9') {
				want = r.Scheme
			}
		}
		got := ""
		if r := table.find([]byte(digits)); r != nil {
			got = r.Scheme
		}
		if got != want {
			t.Fatalf("%s: halving says %q, walking says %q", digits, got, want)
		}
	})
}

func TestChooseDoesNotAllocate(t *testing.T) {
	table, err := New(fictitious)
	if err != nil {
		t.Fatal(err)
	}
	p, up := pan(t, "6224240000000069"), func(string) bool { return true }
	if n := testing.AllocsPerRun(100, func() { _, _ = table.Choose(p, up) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkChoose(b *testing.B) {
	ranges := make([]Range, 100_000)
	for i := range ranges {
		low := fmt.Sprintf("%09d", 400_000_000+i*1000)
		ranges[i] = Range{Line: i, Low: low, High: low, Scheme: "s", Links: []string{"l"}}
	}
	table, err := New(ranges)
	if err != nil {
		b.Fatal(err)
	}
	p, up := pan(b, "4543210001234567"), func(string) bool { return true }
	b.ReportAllocs()
	for b.Loop() {
		if _, err := table.Choose(p, up); err != nil {
			b.Fatal(err)
		}
	}
}
