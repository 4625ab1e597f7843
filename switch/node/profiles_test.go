// SPDX-License-Identifier: Apache-2.0

package node

import (
	"reflect"
	"strings"
	"testing"

	"tapswitch/hsm"
	"tapswitch/switch/config"
)

// TestEveryProfileIsChoosable: the configuration's words and the HSM's profiles
// are the same set.
func TestEveryProfileIsChoosable(t *testing.T) {
	field, _ := reflect.TypeFor[config.Issuer]().FieldByName("Profile")
	words := strings.Fields(field.Tag.Get("of"))
	seen := map[hsm.Profile]string{}
	for _, word := range words {
		is, err := issuer(config.Issuer{Name: "n", Profile: word, Option: "b", ARC: "0010", CSU: "00820000"})
		if err != nil || is.Option != hsm.OptionB || is.Answer.ARC != [2]byte{0, 0x10} || is.Answer.CSU != [4]byte{0, 0x82} {
			t.Errorf("%s: %+v, %v", word, is, err)
			continue
		}
		if seen[is.Profile] != "" {
			t.Errorf("%s and %s are one profile", word, seen[is.Profile])
		}
		seen[is.Profile] = word
	}
	for p := hsm.VisaCVN10; p <= hsm.InteracCVN133; p++ {
		if seen[p] == "" {
			t.Errorf("profile %d has no word in the configuration", p)
		}
	}
	for _, wrong := range []config.Issuer{{Profile: "visa"}, {Profile: "ccd", CSU: "0082"}, {Profile: "ccd", CSU: "zz"}, {Profile: "ccd", CSU: "00820000", ARC: "1"}, {Profile: "ccd", CSU: "00820000", ARC: "001000"}} {
		if is, err := issuer(wrong); err == nil {
			t.Errorf("%+v becomes %+v", wrong, is)
		}
	}
}
