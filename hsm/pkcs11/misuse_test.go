// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"errors"
	"os"
	"testing"
	"time"

	"tapswitch/hsm"
	"tapswitch/hsm/hsmtest"
)

// TestMisuseNeedsNoModule: what a key must not do is refused before the module is
// asked, so also while there is none.
func TestMisuseNeedsNoModule(t *testing.T) {
	m := module(t)
	all := hsmtest.AllMisuses(t, m)
	if len(all) < 1000 {
		t.Fatalf("only %d pairs of function and usage", len(all))
	}
	if err := os.Rename(dir, dir+".gone"); err != nil {
		t.Fatal(err)
	}
	back := func() {
		if err := os.Rename(dir+".gone", dir); err != nil {
			t.Error(err)
		}
		until(t, 5*time.Second, "the token is back", func() bool { return m.Health() == nil })
	}
	defer back()
	until(t, time.Second, "the token is missed", func() bool { return errors.Is(m.Health(), hsm.ErrUnavailable) })
	for name, call := range all {
		if err := call(t.Context()); !errors.Is(err, hsm.ErrUsage) {
			t.Errorf("%s: %v, want ErrUsage", name, err)
		}
	}
}
