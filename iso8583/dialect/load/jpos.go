// SPDX-License-Identifier: Apache-2.0

package load

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	moov "github.com/moov-io/iso8583"
	"github.com/moov-io/iso8583/field"

	"tapswitch/iso8583"
)

// fromJPOS reads a generic packager: elements isofield and isofieldpackager
// inside isopackager. A field with subfields becomes one field of its own class:
// its bytes are read and kept, its subfields are not taken apart.
func fromJPOS(data []byte) (*moov.MessageSpec, error) {
	d := xml.NewDecoder(bytes.NewReader(data))
	d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil } // names of fields only
	spec := &moov.MessageSpec{Fields: map[int]field.Field{}}
	known := classes()
	depth, root := 0, false
	for {
		token, err := d.Token()
		line, _ := d.InputPos()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: not XML: %w", line, err)
		}
		switch e := token.(type) {
		case xml.EndElement:
			if depth--; depth < 0 {
				depth = 0
			}
		case xml.StartElement:
			depth++
			switch {
			case depth == 1 && e.Name.Local != "isopackager":
				return nil, fmt.Errorf("line %d: the file begins with <%s>, a generic packager with <isopackager>", line, e.Name.Local)
			case depth == 1:
				root = true
			case depth == 2:
				if err := addJPOS(spec, known, e); err != nil {
					return nil, fmt.Errorf("line %d: %w", line, err)
				}
			}
		}
	}
	switch {
	case !root:
		return nil, fmt.Errorf("no <isopackager> in the file")
	case spec.Fields[0] == nil || spec.Fields[1] == nil:
		return nil, fmt.Errorf("the message type (id 0) or the bitmap (id 1) is missing")
	}
	return spec, nil
}

// addJPOS converts one field.
func addJPOS(spec *moov.MessageSpec, known map[string]class, e xml.StartElement) error {
	if e.Name.Local != "isofield" && e.Name.Local != "isofieldpackager" {
		return fmt.Errorf("element <%s> is not converted", e.Name.Local)
	}
	attr := map[string]string{}
	for _, a := range e.Attr {
		attr[a.Name.Local] = a.Value
	}
	n, err := strconv.Atoi(attr["id"])
	if err != nil || n < 0 || n > iso8583.MaxField {
		return fmt.Errorf("id %q is no field number from 0 to %d", attr["id"], iso8583.MaxField)
	}
	length, err := strconv.Atoi(attr["length"])
	if err != nil || length < 0 {
		return fmt.Errorf("field %d: length %q is no number", n, attr["length"])
	}
	name := strings.TrimPrefix(strings.TrimSpace(attr["class"]), "org.jpos.iso.")
	c, ok := known[name]
	if !ok {
		return fmt.Errorf("field %d: class %q is not converted; the standard classes are: %s", n, attr["class"], strings.Join(Classes(), ", "))
	}
	if c.kind == unused || n == 65 && length <= 8 { // field 65 is the place of a third bitmap
		return nil
	}
	if (c.kind == bitmap) != (n == 1) {
		return fmt.Errorf("field %d: class %s, but the bitmap is field 1", n, name)
	}
	if spec.Fields[n] != nil {
		return fmt.Errorf("field %d: is there twice", n)
	}
	spec.Fields[n] = c.field(n, length, attr["name"], attr["pad"] == "true")
	return nil
}
