// SPDX-License-Identifier: Apache-2.0

package pinoffset_test

import (
	"encoding/hex"
	"errors"
	"testing"

	"tapswitch/hsm/hsmtest"
	"tapswitch/hsm/pinoffset"
)

func TestTSPVector(t *testing.T) {
	hsmtest.Vectors(t, "pvv", "pin.visa_pvv_tsp", func(in map[string][]byte) ([]byte, error) {
		var tsp [8]byte
		pan := in["pan"]
		err := pinoffset.TSP(&tsp, [11]byte(pan[len(pan)-12:]), in["pvki"][0], in["pin"])
		return tsp[:], err
	})
}

func TestDecimaliseVectors(t *testing.T) {
	hsmtest.Vectors(t, "pvv", "decimalise.two_pass", func(in map[string][]byte) ([]byte, error) {
		block, err := hex.DecodeString(string(in["hex_digits"][:16])) // enough for four digits
		if err != nil {
			return nil, err
		}
		got := pinoffset.Decimalise([8]byte(block))
		return got[:], nil
	})
	// the second pass: too few digits, and none at all
	for block, want := range map[[8]byte]string{
		{0xAB, 0xCD, 0xEF, 0xAB, 0xCD, 0xEF, 0xAB, 0xCD}: "0123",
		{0xAB, 0xCD, 0xEF, 0xAB, 0xCD, 0xEF, 0xAB, 0x9C}: "9012",
		{0x12, 0x3A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}: "1230",
	} {
		if got := pinoffset.Decimalise(block); string(got[:]) != want {
			t.Errorf("%X: %s, want %s", block, got, want)
		}
	}
}

func TestTSPRefuses(t *testing.T) {
	good := [11]byte([]byte("01234567891"))
	bad := good
	bad[10] = 'A'
	for name, c := range map[string]struct {
		account [11]byte
		index   byte
		pin     string
	}{"three digits": {good, '1', "123"}, "letter in PIN": {good, '1', "12a4"}, "letter in account": {bad, '1', "1234"}, "index 1 as a number": {good, 1, "1234"}} {
		tsp := [8]byte{1, 2, 3}
		if err := pinoffset.TSP(&tsp, c.account, c.index, []byte(c.pin)); !errors.Is(err, pinoffset.ErrDigits) {
			t.Errorf("%s: %v, want ErrDigits", name, err)
		}
	}
}
