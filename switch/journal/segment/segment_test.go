// SPDX-License-Identifier: Apache-2.0

package segment_test

import (
	"testing"

	"tapswitch/switch/journal"
	"tapswitch/switch/journal/journaltest"
	"tapswitch/switch/journal/segment"
)

func open(s journaltest.Setup) (journal.Journal, error) {
	cfg := segment.Config{Dir: "data/journal", OnBroken: s.OnBroken}
	cfg.SegmentBytes = 1 << 20
	if s.Small {
		cfg.SegmentBytes, cfg.AppendMax = 2048, journaltest.SmallAppend
	}
	j, err := segment.Open(s.Env, cfg)
	if err != nil {
		return nil, err
	}
	return j, nil
}

func TestConformance(t *testing.T) { journaltest.Run(t, open) }
