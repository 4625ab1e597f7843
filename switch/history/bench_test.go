// SPDX-License-Identifier: Apache-2.0

package history

import (
	"path/filepath"
	"testing"

	"tapswitch/switch/journal"
)

// BenchmarkRebuild is the time for one record of the journal.
func BenchmarkRebuild(b *testing.B) {
	for kind, name := range map[string]string{"sqlite": filepath.Join(b.TempDir(), "history.db"), "postgres": freshSchema()} {
		b.Run(kind, func(b *testing.B) {
			j := lives(9, b.N/3+1)
			j.all = j.all[:min(len(j.all), b.N)]
			b.ResetTimer()
			if _, err := Rebuild(at(b, name), journal.Replayer(j), true); err != nil {
				b.Fatal(err)
			}
		})
	}
}
