// SPDX-License-Identifier: Apache-2.0

package config

import (
	"reflect"
	"strings"
	"testing"

	"tapswitch/iso8583"
	specfile "tapswitch/iso8583/dialect/load"
	"tapswitch/switch/translate"
)

// A dialect of one's own is compiled when the configuration is read.
func TestOwnDialect(t *testing.T) {
	c, err := Load("testdata/dialects.yaml", machine())
	if err != nil {
		t.Fatal(err)
	}
	if len(c.ISO.Dialects) != 2 {
		t.Fatalf("%d dialects", len(c.ISO.Dialects))
	}
	acme, house := c.ISO.Dialects[0].Layout(), c.ISO.Dialects[1].Layout()
	if acme.Name() != "acme" || acme.Mark(2) != iso8583.MarkPAN || acme.Mark(48) != iso8583.MarkKey || acme.Mark(41) != iso8583.MarkSensitive {
		t.Errorf("acme: %s %s %s", acme.Name(), acme.Mark(48), acme.Mark(41))
	}
	if house.Name() != "house" || !house.Defines(39) {
		t.Errorf("house: %s", house.Name())
	}
}

// Tools read the dialects alone, without the secrets of the file.
func TestDialectsAlone(t *testing.T) {
	closed := machine()
	closed.LookupEnv = func(string) (string, bool) { return "", false }
	if _, err := Load("testdata/dialects.yaml", closed); err == nil {
		t.Fatal("the file has no secret")
	}
	all, err := Dialects("testdata/dialects.yaml", closed)
	if err != nil || len(all) != 2 || all[0].Name != "acme" || all[1].Layout() == nil {
		t.Errorf("%v %v", all, err)
	}
	if _, err := Dialects("testdata/baddialects.yaml", closed); err == nil {
		t.Error("a file that does not load gave dialects")
	}
}

// The words of the schema are those of the packages behind it.
func TestWordsOfDialects(t *testing.T) {
	words := func(section any, key string) []string {
		for _, f := range fieldsOf(reflect.TypeOf(section)) {
			if f.key == key {
				return f.of
			}
		}
		return nil
	}
	if got, want := words(Mark{}, "mark"), specfile.MarkNames(); strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("marks %v, want %v", got, want)
	}
	if got, want := words(Link{}, "dialect"), translate.AcquirerDialects(); strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("dialects of links %v, want %v", got, want)
	}
}
