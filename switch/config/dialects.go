// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"

	"tapswitch/iso8583"
	"tapswitch/iso8583/dialect"
	specfile "tapswitch/iso8583/dialect/load"
)

// Dialects reads the dialects that the file at path names, for tools that need
// nothing else of it: the whole file must be good, its secrets stay closed.
func Dialects(path string, from Source) ([]Dialect, error) {
	c, err := load(path, from, false)
	if err != nil {
		return nil, err
	}
	return c.ISO.Dialects, nil
}

// dialects reads and compiles the specification files: a file that a tool would
// stumble over is told now.
func (d *decoder) dialects(c *Config) {
	for i := range c.ISO.Dialects {
		own := &c.ISO.Dialects[i]
		at := fmt.Sprintf("iso.dialects[%d]", i)
		if !d.sound(at+".name", at+".spec") {
			continue
		}
		if contains(dialect.Names(), own.Name) {
			d.problem(Problem{Code: NotUnique, Message: fmt.Sprintf("dialect %q is shipped already", own.Name), Why: "a name stands for one dialect", Fix: "give it another name"}, at+".name", d.at[at+".name"])
			continue
		}
		marks, ok := d.marks(own, at)
		if !ok {
			continue
		}
		data, err := d.from.ReadFile(own.Spec)
		if err == nil {
			own.layout, err = specfile.Layout(own.Name, own.Spec, data, marks)
		}
		if err != nil {
			d.problem(Problem{Code: Unreadable, Message: fmt.Sprintf("dialect %q cannot be loaded", own.Name), Why: err.Error(), Fix: "correct the file, or take the dialect out"}, at+".spec", d.at[at+".spec"])
		}
	}
}

// marks are the marks given beside a specification.
func (d *decoder) marks(own *Dialect, at string) (iso8583.Marks, bool) {
	marks, ok := iso8583.Marks{}, true
	for j, m := range own.Marks {
		path := fmt.Sprintf("%s.marks[%d]", at, j)
		if !d.sound(path, path+".field", path+".mark") {
			ok = false
			continue
		}
		if _, twice := marks[m.Field]; twice {
			d.problem(Problem{Code: NotUnique, Message: fmt.Sprintf("field %d is marked twice", m.Field), Why: "one of the two would be lost", Fix: "keep one"}, path+".field", d.at[path+".field"])
			ok = false
			continue
		}
		marks[m.Field], _ = specfile.Mark(m.Mark) // the schema has the words
	}
	return marks, ok
}
