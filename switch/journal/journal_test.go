// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"errors"
	"math"
	"testing"
)

// Every store holds a record to the same bounds: at them it is taken, one beyond
// it is not.
func TestBoundsOfARecord(t *testing.T) {
	for name, c := range map[string]struct {
		r    Record
		over bool
	}{
		"largest":             {Record{Key: make([]byte, MaxKey), Body: make([]byte, MaxBody), Reserve: math.MaxInt32}, false},
		"most given back":     {Record{Reserve: -math.MaxInt32}, false},
		"key too long":        {Record{Key: make([]byte, MaxKey+1)}, true},
		"body too long":       {Record{Body: make([]byte, MaxBody+1)}, true},
		"asks for too much":   {Record{Reserve: math.MaxInt32 + 1}, true},
		"gives too much back": {Record{Reserve: -math.MaxInt32 - 1}, true},
	} {
		if err := c.r.Check(); errors.Is(err, ErrTooBig) != c.over || !c.over && err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
