// SPDX-License-Identifier: Apache-2.0

package history

import (
	"path/filepath"
	"testing"

	"tapswitch/internal/env"
	"tapswitch/switch/journal"
)

// BenchmarkRebuild is the time for one record of the journal.
func BenchmarkRebuild(b *testing.B) {
	j := lives(9, b.N/3+1)
	j.all = j.all[:min(len(j.all), b.N)]
	name := filepath.Join(b.TempDir(), "history.db")
	b.ResetTimer()
	if _, err := Rebuild(env.RealDisk(), name, journal.Replayer(j), false); err != nil {
		b.Fatal(err)
	}
}
