// SPDX-License-Identifier: Apache-2.0

package mastercardcis_test

import (
	"flag"
	"testing"

	"tapswitch/iso8583/dialect/dialecttest"
	"tapswitch/iso8583/dialect/mastercardcis"
)

var _ = flag.Bool("rewrite", false, "write the wire lines of testdata/golden.txt anew")

func TestGolden(t *testing.T) {
	dialecttest.Golden(t, mastercardcis.Spec(), mastercardcis.New())
}
