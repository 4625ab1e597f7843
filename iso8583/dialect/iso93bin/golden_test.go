// SPDX-License-Identifier: Apache-2.0

package iso93bin_test

import (
	"flag"
	"testing"

	"tapswitch/iso8583/dialect/dialecttest"
	"tapswitch/iso8583/dialect/iso93bin"
)

var _ = flag.Bool("rewrite", false, "write the wire lines of testdata/golden.txt anew")

func TestGolden(t *testing.T) {
	dialecttest.Golden(t, iso93bin.Spec(), iso93bin.New())
}
