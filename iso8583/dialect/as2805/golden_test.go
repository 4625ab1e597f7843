// SPDX-License-Identifier: Apache-2.0

package as2805_test

import (
	"flag"
	"testing"

	"tapswitch/iso8583/dialect/as2805"
	"tapswitch/iso8583/dialect/dialecttest"
)

var _ = flag.Bool("rewrite", false, "write the wire lines of testdata/golden.txt anew")

func TestGolden(t *testing.T) {
	dialecttest.Golden(t, as2805.Spec(), as2805.New())
}
