// SPDX-License-Identifier: Apache-2.0

package bertlv

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
)

func TestWalkDOL(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", "<nil>"},
		{"9F6604 9F0206 9505 DF6901", "9F66:4 9F02:6 95:5 DF69:1 <nil>"},
		{"9F6604 9F02", "9F66:4 bertlv: byte 3: tlv_length_truncated"},
		{"9F6604 9F", "9F66:4 bertlv: byte 3: tlv_tag_truncated"},
		{"9FFFFFFF01", "bertlv: byte 0: tlv_tag_too_long"},
	} {
		got := ""
		err := WalkDOL(unhex(t, c.in), func(tag Tag, n int) error {
			got += fmt.Sprintf("%v:%d ", tag, n)
			return nil
		})
		if got += fmt.Sprint(err); got != c.want {
			t.Errorf("%s: got %q, want %q", c.in, got, c.want)
		}
	}
	stop := errors.New("stop")
	if err := WalkDOL(unhex(t, "9F6604"), func(Tag, int) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
}

// FuzzWalkDOL: the entries use the list exactly, and nothing is allocated for
// them.
func FuzzWalkDOL(f *testing.F) {
	f.Add(unhex(f, "9F66049F02069F03069F1A0295055F2A029A039C019F3704"))
	f.Add(unhex(f, "9F669F"))
	f.Fuzz(func(t *testing.T, list []byte) {
		var again []byte
		err := WalkDOL(list, func(tag Tag, n int) error {
			if tag == 0 { // an entry like any other in a list, but no object
				again = append(again, 0, byte(n))
				return nil
			}
			again = Append(again, tag, nil)
			again[len(again)-1] = byte(n)
			return nil
		})
		var fault *Error
		switch {
		case err == nil && !bytes.Equal(again, list):
			t.Fatalf("read as %X", again)
		case err != nil && (!errors.As(err, &fault) || fault.Offset >= len(list)):
			t.Fatalf("fault outside the list: %v", err)
		}
	})
}
