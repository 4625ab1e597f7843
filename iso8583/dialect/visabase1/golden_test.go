// SPDX-License-Identifier: Apache-2.0

package visabase1_test

import (
	"flag"
	"testing"

	"tapswitch/iso8583/dialect/dialecttest"
	"tapswitch/iso8583/dialect/visabase1"
)

var _ = flag.Bool("rewrite", false, "write the wire lines of testdata/golden.txt anew")

func TestGolden(t *testing.T) {
	dialecttest.Golden(t, visabase1.Spec(), visabase1.New())
}
