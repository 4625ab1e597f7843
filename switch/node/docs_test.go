// SPDX-License-Identifier: Apache-2.0

package node

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tapswitch/switch/config"
)

// TestMetricsPageNamesEveryValue: a value that a switch can show in a label
// stands in the pages for operators.
func TestMetricsPageNamesEveryValue(t *testing.T) {
	var text string
	for _, name := range []string{"metrics.md", "reasons.md", "states.md"} {
		b, err := os.ReadFile(filepath.Join("..", "..", "docs", "reference", name))
		if err != nil {
			t.Fatal(err)
		}
		text += string(b)
	}
	s := sets(&config.Config{})
	for _, set := range [][]string{s.Classes, s.Outcomes, s.Reasons, s.States, s.Events, s.Refusals, s.Exchanges, s.LinkEvents, s.Attempts, s.Cases, s.Operations, s.Results} {
		if len(set) == 0 {
			t.Error("an empty set of label values")
		}
		for _, v := range set {
			if !strings.Contains(text, "`"+v+"`") {
				t.Errorf("label value %s has no word in docs/reference/metrics.md: add it to labelDocs in switch/observe", v)
			}
		}
	}
}
