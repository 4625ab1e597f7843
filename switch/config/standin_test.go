// SPDX-License-Identifier: Apache-2.0

package config

import (
	"strings"
	"testing"
)

func TestStandIn(t *testing.T) {
	c, err := Load("testdata/standin.yaml", machine())
	if err != nil {
		t.Fatal(err)
	}
	m := c.StandIn.Mandates[0]
	if !c.StandIn.Enabled || c.StandIn.DayOffset != 480 || m.MaxAmount != 50000 || m.MaxCount != 3 || m.MaxSum != 100000 || m.PINAbove != 10000 || m.Types[0] != "5411" || m.Refused[0] != "7995" {
		t.Errorf("%+v", c.StandIn)
	}
	if c.BINs[1].StandIn != "up" || c.Terminals[0].MerchantType != "5411" {
		t.Errorf("%+v %+v", c.BINs[1], c.Terminals[0])
	}
	off, err := Load("testdata/good.yaml", machine())
	if err != nil || off.StandIn.Enabled || len(off.StandIn.Mandates) != 0 {
		t.Errorf("stand-in is not off by default: %+v, %v", off.StandIn, err)
	}
}

func TestStandInMistakes(t *testing.T) {
	_, err := Load("testdata/badstandin.yaml", machine())
	if err == nil {
		t.Fatal("a bad file loaded")
	}
	golden(t, "badstandin.txt", err.Error()+"\n")
	from := machine()
	read := from.ReadFile
	from.ReadFile = func(name string) ([]byte, error) {
		b, err := read(name)
		from, to, _ := strings.Cut(string(b), "  mandates:\n")
		_, to, _ = strings.Cut(to, "terminals:")
		return []byte(strings.ReplaceAll(from, ", stand_in: up", "") + "terminals:" + to), err
	}
	if _, err := Load("testdata/standin.yaml", from); err == nil || !strings.Contains(err.Error(), "stand_in.enabled without a mandate") || strings.Count(err.Error(), "error[") != 1 {
		t.Errorf("enabled without a mandate: %v", err)
	}
}
