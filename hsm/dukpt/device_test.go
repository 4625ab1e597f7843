// SPDX-License-Identifier: Apache-2.0

package dukpt_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/bits"
	"testing"

	"tapswitch/hsm"
	"tapswitch/hsm/dukpt"
)

// newTDES is a TDES device over the standard library.
func newTDES(initial []byte, ksn hsm.KSN) *dukpt.Device[[16]byte] {
	return dukpt.NewDevice(ksn, [16]byte(initial), func(base [16]byte, counter uint32) [16]byte {
		m := memory(base[:])
		dukpt.NextKey(encipher, m, ksn, counter)
		return [16]byte(m.Key)
	})
}

// newAES is an AES device over the standard library.
func newAES(initial []byte, ksn hsm.KSN) *dukpt.Device[string] {
	return dukpt.NewDevice(ksn, string(initial), func(base string, counter uint32) string {
		return string(run([]byte(base), dukpt.DerivationStep(aesOf(initial), ksn, counter)))
	})
}

// TestDeviceAndHostAgree walks the registers of both kinds of device through
// their first transactions, past several counters that are skipped.
func TestDeviceAndHostAgree(t *testing.T) {
	first := parse(t, unhex(t, "FFFF9876543210E00001"))
	initial := initialTDES(unhex(t, "0123456789ABCDEFFEDCBA9876543210"), first)
	d, want := newTDES(initial, first), first
	for range 2500 {
		ksn, key, err := d.Next()
		if err != nil || ksn != want {
			t.Fatalf("%s, %v; want %s", ksn, err, want)
		}
		m := memory(initial)
		dukpt.TransactionKey(encipher, m, ksn)
		if !bytes.Equal(m.Key, key[:]) {
			t.Fatalf("%s: the device's key is not the host's", ksn)
		}
		if want, err = dukpt.NextKSN(ksn); err != nil {
			t.Fatal(err)
		}
	}
	if want.Counter() <= 2501 {
		t.Errorf("after 2500 transactions the counter is %d: none was skipped", want.Counter())
	}
	number := parse(t, unhex(t, "123456789012345600000001"))
	a := newAES(make([]byte, 32), number)
	for range 500 {
		ksn, key, err := a.Next()
		if err != nil || key != string(host(hsm.IK, make([]byte, 32), ksn)) {
			t.Fatalf("%s: %v", ksn, err)
		}
	}
}

// TestDeviceExhausted counts through every transaction of a TDES device and
// looks at the ends of both: exhaustion is named and final.
func TestDeviceExhausted(t *testing.T) {
	first := parse(t, unhex(t, "FFFF9876543210E00001"))
	d := dukpt.NewDevice(first, 0, func(_ int, counter uint32) int { return int(counter) })
	used, last := 0, hsm.KSN{}
	for {
		ksn, key, err := d.Next()
		if err != nil {
			if !errors.Is(err, dukpt.ErrExhausted) {
				t.Fatal(err)
			}
			break
		}
		if key != int(ksn.Counter()) || bits.OnesCount32(ksn.Counter()) > hsm.TDESCounterOnes {
			t.Fatalf("%s with the key of counter %d", ksn, key)
		}
		used, last = used+1, ksn
	}
	// the sum of the binomials 21 over 1 to 10: 2^20 - 1 (X9.24-1)
	if used != 1<<20-1 || last.String() != "FFFF9876543210FFF800" {
		t.Errorf("%d transactions, the last %s", used, last)
	}
	if _, _, err := d.Next(); !errors.Is(err, dukpt.ErrExhausted) {
		t.Errorf("after the end: %v", err)
	}
	for _, end := range []string{"FFFF9876543210FFF800", "1234567890123456FFFF0000"} {
		k, err := hsm.ParseKSN(unhex(t, end))
		if end[:4] == "FFFF" { // eleven one-bits more than TDES has
			k, err = hsm.ParseKSN(unhex(t, "FFFF9876543210FFF800"))
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := dukpt.NextKSN(k); !errors.Is(err, dukpt.ErrExhausted) {
			t.Errorf("after %s: %v", end, err)
		}
	}
}

// FuzzKSN: whatever comes in is refused by name or read back to the same bytes.
func FuzzKSN(f *testing.F) {
	for _, s := range []string{"FFFF9876543210E00001", "9876543210E00001", "123456789012345600000001", "", "12345678901234560001FFFF"} {
		f.Add(unhex(f, s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := hsm.ParseKSN(b)
		if err != nil {
			if !errors.Is(err, hsm.ErrInput) || !k.IsZero() {
				t.Fatalf("%v", err)
			}
			return
		}
		if !bytes.HasSuffix(k.Bytes(), b) {
			t.Fatalf("%x read as %s", b, k)
		}
		again, err := hsm.ParseKSN(k.Bytes())
		if err != nil || again != k {
			t.Fatalf("%s read again as %s, %v", k, again, err)
		}
		if same, err := k.At(k.Counter()); err != nil || same != k {
			t.Fatalf("%s at its own counter is %s, %v", k, same, err)
		}
		if next, err := dukpt.NextKSN(k); err == nil && (next.Counter() <= k.Counter() || next.ID() != k.ID()) {
			t.Fatalf("%s is followed by %s", k, next)
		}
	})
}

// FuzzDerive: for any key and counter the host, from the BDK, and the device,
// by its registers, come to the same keys.
func FuzzDerive(f *testing.F) {
	f.Add(make([]byte, 32), uint64(1), uint32(0x155555), true)
	f.Add([]byte("a BDK of thirty-two fuzzed bytes"), uint64(1<<40), uint32(0x0000FFFF), false)
	f.Add([]byte("a BDK of thirty-two fuzzed bytes"), uint64(1<<40), uint32(0xFFFF0000), false)
	f.Fuzz(func(t *testing.T, key []byte, id uint64, counter uint32, tdes bool) {
		if len(key) < 32 {
			return
		}
		number := append(binary.BigEndian.AppendUint64(nil, id), 0, 0, 0, 1)
		if tdes {
			number = append(binary.BigEndian.AppendUint64(nil, id&^0x1F), 0, 1)
		}
		first := parse(t, number)
		if tdes {
			initial := initialTDES(key[:16], first)
			d := newTDES(initial, first)
			d.SkipTo(counter)
			compare(t, counter, d, func(ksn hsm.KSN) [16]byte {
				m := memory(initial)
				dukpt.TransactionKey(encipher, m, ksn)
				return [16]byte(m.Key)
			})
			return
		}
		for _, n := range []int{16, 24, 32} {
			d := newAES(run(key[:n], dukpt.InitialStep(aesOf(key[:n]), first)), first)
			d.SkipTo(counter)
			compare(t, counter, d, func(ksn hsm.KSN) string { return string(host(hsm.BDK, key[:n], ksn)) })
		}
	})
}

// compare takes three transactions of a device that skipped to counter.
func compare[K comparable](t *testing.T, counter uint32, d *dukpt.Device[K], host func(ksn hsm.KSN) K) {
	t.Helper()
	want := hsm.KSN{}
	for i := range 3 {
		ksn, key, err := d.Next()
		if errors.Is(err, dukpt.ErrExhausted) {
			return
		}
		if err != nil || key != host(ksn) {
			t.Fatalf("%s: %v", ksn, err)
		}
		if i == 0 {
			if at, err := ksn.At(counter); ksn.Counter() < counter || err == nil && ksn != at && bits.OnesCount32(counter) <= hsm.AESCounterOnes {
				t.Fatalf("skipped to %d, got %s", counter, ksn)
			}
		} else if ksn != want {
			t.Fatalf("%s, want %s", ksn, want)
		}
		if want, err = dukpt.NextKSN(ksn); err != nil && !errors.Is(err, dukpt.ErrExhausted) {
			t.Fatal(err)
		}
	}
}
