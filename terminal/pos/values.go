// SPDX-License-Identifier: Apache-2.0

package pos

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"sort"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// scalar is a value of the file and where it stands.
type scalar struct {
	text         string
	line, column int
}

// flatten turns the file into dotted paths; a terminal's configuration has no
// lists, anchors or second documents.
func flatten(path string, raw []byte) (map[string]scalar, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		return nil, fmt.Errorf("pos: configuration %s: %w", path, err)
	}
	if len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode {
		return nil, fmt.Errorf("pos: configuration %s: it must be a mapping, \"version: 1\" first", path)
	}
	values := map[string]scalar{}
	return values, flattenInto(path, values, "", doc.Content[0])
}

func flattenInto(path string, values map[string]scalar, prefix string, n *yaml.Node) error {
	var all []error
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		name := prefix + key.Value
		switch {
		case value.Kind == yaml.MappingNode:
			all = append(all, flattenInto(path, values, name+".", value))
		case value.Kind != yaml.ScalarNode || value.Anchor != "":
			all = append(all, fmt.Errorf("%s:%d:%d: %s: must be one plain value", path, value.Line, value.Column, name))
		default:
			if _, twice := values[name]; twice {
				all = append(all, fmt.Errorf("%s:%d:%d: %s comes twice", path, key.Line, key.Column, name))
			}
			values[name] = scalar{value.Value, value.Line, value.Column}
		}
	}
	return errors.Join(all...)
}

// unknown names the keys that nobody asked for, with the nearest known one.
func unknown(path string, values map[string]scalar) (all []error) {
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		text := fmt.Sprintf("%s:%d:%d: unknown key %s", path, values[name].line, values[name].column, name)
		if near := nearest(name); near != "" {
			text += ": did you mean " + near + "?"
		}
		all = append(all, errors.New(text))
	}
	return all
}

// nearest is the known key with the fewest differing letters, if they are few.
func nearest(name string) (best string) {
	least := len(name)/2 + 1
	for _, e := range entries() {
		if d := distance(name, e.path); d < least {
			best, least = e.path, d
		}
	}
	return best
}

// distance counts the letters to insert, drop or change (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next := min(row[j]+1, row[j+1]+1, diagonal+cost)
			diagonal, row[j+1] = row[j+1], next
		}
	}
	return row[len(b)]
}

func wantVersion(_ *loading, v string) error {
	if v != "1" {
		return errors.New("this program knows version 1")
	}
	return nil
}

func some(s string) bool { return s != "" }

func hasPort(s string) bool {
	_, port, err := net.SplitHostPort(s)
	return err == nil && port != ""
}

func digitsOnly(n int) func(string) bool {
	return func(s string) bool { return len(s) == n && strings.Trim(s, "0123456789") == "" }
}

func printable(n int) func(string) bool {
	return func(s string) bool {
		for _, c := range []byte(s) {
			if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
				return false
			}
		}
		return len(s) == n
	}
}

func fixedHex(to []byte, v string) error {
	raw, err := hex.DecodeString(v)
	if err != nil || len(raw) != len(to) {
		return fmt.Errorf("must be %d digits, in quotes", 2*len(to))
	}
	copy(to, raw)
	return nil
}

func truth(to *bool, v string) error {
	if v != "true" && v != "false" {
		return errors.New("must be true or false")
	}
	*to = v == "true"
	return nil
}

// integer is any of the whole-number types of Config.
type integer interface{ ~int | ~int64 | ~uint16 }

func whole[T integer](to *T, v string, low, high int64) error {
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n < low || n > high {
		return fmt.Errorf("must be a whole number from %d to %d", low, high)
	}
	*to = T(n)
	return nil
}

// longestWait bounds every time-out of the file.
const longestWait = 10 * time.Minute

func millis(to *time.Duration, v string) error {
	var n int64
	if err := whole(&n, v, 10, longestWait.Milliseconds()); err != nil {
		return fmt.Errorf("%w (milliseconds)", err)
	}
	*to = time.Duration(n) * time.Millisecond
	return nil
}
