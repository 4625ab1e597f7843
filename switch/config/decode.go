// SPDX-License-Identifier: Apache-2.0

package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"tapswitch/internal/secret"
)

// maxFile bounds the file; 65,536 terminals at 120 characters each fit.
const maxFile = 16 << 20

// maxWord bounds a key that an error repeats and that is compared with the known ones.
const maxWord = 64

// maxShown is how many characters of a wrong number an error repeats.
const maxShown = 11

// place is where a value stands in the file; the zero place is a default.
type place struct{ line, column int }

func placeOf(n *yaml.Node) place {
	if n == nil {
		return place{}
	}
	return place{n.Line, n.Column}
}

// decoder walks the node tree along the structs and collects every mistake.
type decoder struct {
	file        string
	from        Source
	openSecrets bool
	structured  bool // the file is one mapping: relations can be looked at
	problems    Problems
	bad         map[string]bool  // paths with a mistake: relations leave them alone
	at          map[string]place // where each path stands
	entries     []Entry
	forms       map[string]*regexp.Regexp // compiled once per file
}

func (d *decoder) problem(p Problem, path string, at place) {
	p.File, p.Line, p.Column = d.file, at.line, at.column
	d.problems = append(d.problems, p)
	d.bad[path] = true
}

// decode reads the one document of the file into c.
func (d *decoder) decode(b []byte, c *Config) {
	if len(b) > maxFile {
		d.problem(Problem{Code: Syntax, Message: "the file is too long", Why: fmt.Sprintf("at most %d bytes are read", maxFile), Fix: "keep terminals and ranges elsewhere"}, "", place{})
		return
	}
	root, ok := d.parse(b)
	if !ok || !d.plainYAML(root) {
		return
	}
	if root.Kind != yaml.MappingNode {
		d.problem(Problem{Code: Syntax, Message: "the file is not a list of sections", Why: "the top level must be `key: value` lines", Fix: "start with `version: 1`"}, "", placeOf(root))
		return
	}
	d.structured = true
	d.section(reflect.ValueOf(c).Elem(), root, placeOf(root), "")
}

func (d *decoder) parse(b []byte) (root *yaml.Node, ok bool) {
	var doc, next yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(b))
	err := dec.Decode(&doc)
	if err == nil && len(doc.Content) == 1 {
		if err = dec.Decode(&next); errors.Is(err, io.EOF) {
			return doc.Content[0], true
		}
		if err == nil {
			d.problem(Problem{Code: Syntax, Message: "the file holds more than one document", Why: "only one is read", Fix: "remove the line `---` and what follows"}, "", placeOf(&next))
			return nil, false
		}
	}
	if err == nil || errors.Is(err, io.EOF) {
		d.problem(Problem{Code: Syntax, Message: "the file is empty", Why: "there is nothing to start from", Fix: "start with `version: 1`; `tapswitch config explain` lists what there is"}, "", place{})
		return nil, false
	}
	d.problem(syntaxError(err), "", syntaxPlace(err))
	return nil, false
}

// syntaxError repeats the parser's words but nothing quoted: quotes can hold a
// piece of the file.
func syntaxError(err error) Problem {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	text = regexp.MustCompile(`^line \d+: `).ReplaceAllString(text, "")
	text = regexp.MustCompile("([\"`']).*([\"`'])").ReplaceAllString(text, "…")
	return Problem{Code: Syntax, Message: "the file is not YAML", Why: "the parser says: " + text, Fix: "look at this line and the one before: indentation, a colon or a quote"}
}

func syntaxPlace(err error) place {
	m := regexp.MustCompile(`line (\d+):`).FindStringSubmatch(err.Error())
	if m == nil {
		return place{}
	}
	line, _ := strconv.Atoi(m[1]) // the expression allows digits only
	return place{line, 1}
}

// plainYAML refuses anchors, aliases, merges and tags of one's own: a reader
// must see a value where it is used.
func (d *decoder) plainYAML(n *yaml.Node) bool {
	switch {
	case n.Kind == yaml.AliasNode, n.Anchor != "":
		d.problem(Problem{Code: Syntax, Message: "anchors and aliases are not read", Why: "a value must stand where it is used", Fix: "write the value out"}, "", placeOf(n))
		return false
	case n.Kind == yaml.ScalarNode && n.Tag == "!!merge", n.Style&yaml.TaggedStyle != 0:
		d.problem(Problem{Code: Syntax, Message: "merge keys and tags are not read", Why: "a value must stand where it is used, as what it is", Fix: "write the value out, without the tag"}, "", placeOf(n))
		return false
	}
	for _, c := range n.Content {
		if !d.plainYAML(c) {
			return false
		}
	}
	return true
}

// section reads a mapping into a struct. n is nil for a section not given;
// around is where a missing value is reported.
func (d *decoder) section(v reflect.Value, n *yaml.Node, around place, path string) {
	defaults(v.Addr().Interface())
	given := map[string]*yaml.Node{}
	if n != nil {
		if n.Kind != yaml.MappingNode {
			d.wrongType(n, path, "a section of `key: value`")
			return
		}
		given = d.pairs(n, v.Type(), path)
	}
	for _, f := range fieldsOf(v.Type()) {
		d.field(v.FieldByIndex(f.index), f, given[f.key], around, join(path, f.key))
	}
}

// pairs takes a mapping apart and reports keys that are unknown or twice.
func (d *decoder) pairs(n *yaml.Node, t reflect.Type, path string) map[string]*yaml.Node {
	given := map[string]*yaml.Node{}
	var known []string
	for _, f := range fieldsOf(t) {
		known = append(known, f.key)
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		name := key.Value
		if key.Kind != yaml.ScalarNode || len(name) > maxWord {
			d.problem(Problem{Code: UnknownKey, Message: "this key is not a word", Why: inSection(path) + " has other keys", Fix: "remove it"}, path, placeOf(key))
			continue
		}
		if given[name] != nil {
			d.problem(Problem{Code: DuplicateKey, Message: fmt.Sprintf("%s is given twice", join(path, name)), Why: fmt.Sprintf("line %d has it already", given[name].Line), Fix: "keep one of the two"}, join(path, name), placeOf(key))
			continue
		}
		given[name] = value
		if !contains(known, name) {
			d.unknown(key, path, known)
		}
	}
	return given
}

func (d *decoder) unknown(key *yaml.Node, path string, known []string) {
	p := Problem{Code: UnknownKey, Message: fmt.Sprintf("unknown key %q", key.Value), Why: inSection(path) + " has no such key, and what nobody reads has no effect",
		Fix: "keys here: " + strings.Join(known, ", ")}
	if other := sectionWith(key.Value); other != "" && other != path {
		p.Fix = fmt.Sprintf("%q is a key of %s", key.Value, other)
	} else if meant := nearest(key.Value, known); meant != "" {
		p.Fix = fmt.Sprintf("did you mean %q?", meant)
	}
	d.problem(p, join(path, key.Value), placeOf(key))
}

// field reads one value by its type.
func (d *decoder) field(v reflect.Value, f field, n *yaml.Node, around place, path string) {
	at := placeOf(n)
	d.at[path] = at
	if n == nil {
		d.at[path] = around
		if f.need {
			d.problem(Problem{Code: MissingKey, Message: path + " is missing", Why: f.help + "; it has no default", Fix: "add `" + f.key + ":`" + inWhich(path)}, path, around)
			return
		}
	}
	switch {
	case v.Kind() == reflect.Struct && v.Type() != reflect.TypeFor[secret.Key]():
		if n != nil {
			around = at
		}
		d.section(v, n, around, path)
	case v.Kind() == reflect.Slice:
		d.list(v, f, n, path)
	default:
		if n != nil && !d.scalar(v, f, n, path) {
			return
		}
		d.finish(v, f, n, path)
	}
}

// list reads a sequence of sections or of words.
func (d *decoder) list(v reflect.Value, f field, n *yaml.Node, path string) {
	if n == nil {
		return
	}
	if n.Kind != yaml.SequenceNode {
		d.wrongType(n, path, "a list")
		return
	}
	if len(n.Content) > int(f.max) || f.need && len(n.Content) == 0 {
		d.problem(Problem{Code: OutOfRange, Message: fmt.Sprintf("%s has %d entries", path, len(n.Content)), Why: f.help + fmt.Sprintf("; at most %d", f.max), Fix: "give at least one and at most that many"}, path, placeOf(n))
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	for i, c := range n.Content {
		element, name := v.Index(i), fmt.Sprintf("%s[%d]", path, i)
		d.at[name] = placeOf(c)
		if element.Kind() == reflect.Struct {
			d.section(element, c, placeOf(c), name)
		} else if d.scalar(element, f, c, name) {
			d.finish(element, f, c, name)
		}
	}
}

// scalar reads one word or number; false when it reported a mistake.
func (d *decoder) scalar(v reflect.Value, f field, n *yaml.Node, path string) bool {
	switch p := v.Addr().Interface().(type) {
	case *string:
		if n.Kind != yaml.ScalarNode || n.Tag != "!!str" {
			return d.wrongType(n, path, "a text")
		}
		*p = n.Value
		return d.wellFormed(p, f, n, path)
	case *bool:
		if n.Kind != yaml.ScalarNode || n.Tag != "!!bool" {
			return d.wrongType(n, path, "true or false")
		}
		*p = strings.EqualFold(n.Value, "true")
		return true
	case *secret.Key:
		return d.secret(p, f, n, path)
	case *time.Duration:
		ms, ok := d.number(f, n, path)
		*p = time.Duration(ms) * time.Millisecond
		return ok
	case *int:
		i, ok := d.number(f, n, path)
		*p = int(i)
		return ok
	case *int64:
		i, ok := d.number(f, n, path)
		*p = i
		return ok
	}
	return d.wrongType(n, path, "a value")
}

func (d *decoder) number(f field, n *yaml.Node, path string) (int64, bool) {
	i, err := strconv.ParseInt(n.Value, 10, 64)
	if n.Kind != yaml.ScalarNode || n.Tag != "!!int" || err != nil {
		return 0, d.wrongType(n, path, "a whole number")
	}
	if i < f.min || i > f.max {
		said := fmt.Sprintf("%s is %d", path, i)
		if len(n.Value) > maxShown { // long enough to be a card number in the wrong place
			said = path + " is far too large"
		}
		d.problem(Problem{Code: OutOfRange, Message: said, Why: f.help, Fix: fmt.Sprintf("set a value from %d to %d", f.min, f.max)}, path, placeOf(n))
		return 0, false
	}
	return i, true
}

// wrongType reports and returns false. The value itself is not repeated: it may
// be a secret in the wrong place.
func (d *decoder) wrongType(n *yaml.Node, path, want string) bool {
	fix := "write " + want
	if want == "a text" && n.Kind == yaml.ScalarNode && n.Tag != "!!null" {
		fix = "put it in quotes"
	}
	d.problem(Problem{Code: WrongType, Message: fmt.Sprintf("%s must be %s", orFile(path), want), Why: "it is " + kindOf(n), Fix: fix}, path, placeOf(n))
	return false
}

func kindOf(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a section"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	}
	switch n.Tag {
	case "!!null":
		return "empty"
	case "!!int":
		return "a number"
	case "!!float":
		return "a number with a fraction"
	case "!!bool":
		return "true or false"
	case "!!timestamp":
		return "a date"
	}
	return "a text"
}
