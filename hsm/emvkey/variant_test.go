// SPDX-License-Identifier: Apache-2.0

package emvkey_test

import (
	"errors"
	"strconv"
	"testing"

	"tapswitch/hsm"
	"tapswitch/hsm/emvkey"
	"tapswitch/hsm/hsmtest"
)

func TestVariantVectors(t *testing.T) {
	hsmtest.Vectors(t, "kcv", "key.variant", func(in map[string][]byte) ([]byte, error) {
		n, err := strconv.Atoi(string(in["variant"]))
		if err != nil {
			return nil, err
		}
		return emvkey.Variant(in["key"], n)
	})
	for _, c := range []struct{ size, n int }{{0, 1}, {7, 1}, {16, -1}, {16, 32}} {
		if got, err := emvkey.Variant(make([]byte, c.size), c.n); !errors.Is(err, hsm.ErrInput) || got != nil {
			t.Errorf("variant %d of %d bytes: %v, want ErrInput", c.n, c.size, err)
		}
	}
}
