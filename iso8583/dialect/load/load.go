// SPDX-License-Identifier: Apache-2.0

// Package load makes a dialect from a specification file: one of
// moov-io/iso8583 in JSON or YAML, or a jPOS generic packager in XML.
//
// Promise: a file that loads compiles; one that does not is refused with the
// field or the line, the reason and what there is instead. No input makes it
// panic. A field that is well known to hold card data is marked as such, unless
// the caller marks it otherwise.
//
// How: moov's own import reads JSON and YAML; jpos.go reads the packager's
// elements one by one and converts the standard field classes (classes.go).
//
// Imported by: switch/config, cmd. Imports: iso8583, frame, its sibling part, the
// catalogue, moov-io/iso8583.
package load

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"

	moov "github.com/moov-io/iso8583"
	"github.com/moov-io/iso8583/specs"

	"tapswitch/iso8583"
	"tapswitch/iso8583/dialect/part"
)

// MaxFile bounds a specification file; the largest published ones are a tenth.
const MaxFile = 1 << 20

// Extensions are the endings of file names that are read.
func Extensions() []string { return []string{".json", ".yaml", ".yml", ".xml"} }

// Spec reads a specification; the ending of the file's name says what it is.
// The dialect gets the name given.
func Spec(name, file string, data []byte) (spec *moov.MessageSpec, err error) {
	if len(data) > MaxFile {
		return nil, fmt.Errorf("%s: %d bytes, at most %d are read", file, len(data), MaxFile)
	}
	switch ext := strings.ToLower(filepath.Ext(file)); ext {
	case ".json":
		spec, err = imported(specs.ImportJSON, data)
	case ".yaml", ".yml":
		spec, err = imported(specs.ImportYAML, data)
	case ".xml":
		spec, err = fromJPOS(data)
	default:
		return nil, fmt.Errorf("%s: a specification ends in %s, not %q", file, strings.Join(Extensions(), ", "), ext)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	spec.Name = name
	return spec, nil
}

// imported calls moov's import, which panics where a composite makes no sense.
func imported(read func([]byte) (*moov.MessageSpec, error), data []byte) (spec *moov.MessageSpec, err error) {
	defer func() {
		if bad := recover(); bad != nil {
			spec, err = nil, fmt.Errorf("not a specification that moov-io/iso8583 can use: %v", bad)
		}
	}()
	return read(bytes.Clone(data))
}

// Layout reads and compiles a specification. Marks are laid over the ones that
// well-known fields get; a mark none shows what would be hidden.
func Layout(name, file string, data []byte, marks iso8583.Marks) (*iso8583.Layout, error) {
	spec, err := Spec(name, file, data)
	if err != nil {
		return nil, err
	}
	all := part.Only(part.Marks87(), spec.Fields)
	for n, m := range marks {
		all[n] = m
	}
	layout, err := compiled(spec, all)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return layout, nil
}

// compiled is Compile; moov's own checks of a specification may panic as well.
func compiled(spec *moov.MessageSpec, marks iso8583.Marks) (l *iso8583.Layout, err error) {
	defer func() {
		if bad := recover(); bad != nil {
			l, err = nil, fmt.Errorf("not a specification that moov-io/iso8583 can use: %v", bad)
		}
	}()
	return iso8583.Compile(spec, marks)
}

// MarkNames are the words for marks in configuration files.
func MarkNames() (names []string) {
	for m := iso8583.MarkNone; m <= iso8583.MarkSensitive; m++ {
		names = append(names, m.String())
	}
	return names
}

// Mark gives the mark of a word.
func Mark(word string) (iso8583.Mark, bool) {
	for m := iso8583.MarkNone; m <= iso8583.MarkSensitive; m++ {
		if m.String() == word {
			return m, true
		}
	}
	return 0, false
}
