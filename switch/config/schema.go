// SPDX-License-Identifier: Apache-2.0

package config

import (
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// field is what a struct tag says about one value.
type field struct {
	index    []int
	key      string
	need     bool
	min, max int64
	of       []string
	kind     string
	help     string
}

// fieldsOf reads the tags of a section's struct, in order.
func fieldsOf(t reflect.Type) []field {
	var fields []field
	for f := range t.Fields() {
		key, ok := f.Tag.Lookup("key")
		if !ok {
			continue
		}
		fields = append(fields, field{
			index: f.Index,
			key:   key,
			need:  f.Tag.Get("need") == "yes",
			min:   bound(f.Tag.Get("min"), 0),
			max:   bound(f.Tag.Get("max"), math.MaxInt64),
			of:    strings.Fields(f.Tag.Get("of")),
			kind:  f.Tag.Get("kind"),
			help:  f.Tag.Get("help"),
		})
	}
	return fields
}

// bound reads a number of a tag; a test reads every tag, so a wrong one shows there.
func bound(tag string, otherwise int64) int64 {
	n, err := strconv.ParseInt(tag, 10, 64)
	if err != nil {
		return otherwise
	}
	return n
}

// sectionWith is the section that has a key of this name, "" when none has.
func sectionWith(key string) string {
	for _, f := range fieldsOf(reflect.TypeFor[Config]()) {
		t := reflect.TypeFor[Config]().FieldByIndex(f.index).Type
		if t.Kind() == reflect.Slice {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct {
			continue
		}
		for _, inner := range fieldsOf(t) {
			if inner.key == key {
				return f.key
			}
		}
	}
	return ""
}

func contains(words []string, w string) bool { return slices.Contains(words, w) }

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func inSection(path string) string {
	if path == "" {
		return "the top level"
	}
	return "section " + path
}

func inWhich(path string) string {
	i := strings.LastIndexByte(path, '.')
	if i < 0 {
		return " at the top level"
	}
	return " to " + path[:i]
}

func orFile(path string) string {
	if path == "" {
		return "the file"
	}
	return path
}
