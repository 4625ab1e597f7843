// SPDX-License-Identifier: Apache-2.0

package mastercardcis

import "errors"

// Element is one subelement of field 48.
type Element struct {
	ID   [2]byte // two digits
	Data []byte  // aliases the text
}

// ErrElements says where field 48 makes no sense.
var ErrElements = errors.New("mastercardcis: field 48 is a category letter, then elements of two digits, two digits of length, and as many characters")

// Elements takes the text of field 48 apart: the transaction category, and the
// elements in order; next gives false behind the last. The data alias text.
func Elements(text []byte) (category byte, next func() (Element, bool), err error) {
	if len(text) == 0 {
		return 0, nil, ErrElements
	}
	for rest := text[1:]; len(rest) > 0; {
		if _, rest, err = element(rest); err != nil {
			return 0, nil, err
		}
	}
	rest := text[1:]
	return text[0], func() (Element, bool) {
		if len(rest) == 0 {
			return Element{}, false
		}
		var e Element
		e, rest, _ = element(rest) // looked at above
		return e, true
	}, nil
}

func element(p []byte) (e Element, rest []byte, err error) {
	if len(p) < 4 {
		return e, nil, ErrElements
	}
	for _, c := range p[:4] {
		if c < '0' || c > '9' {
			return e, nil, ErrElements
		}
	}
	n := int(p[2]-'0')*10 + int(p[3]-'0')
	if len(p) < 4+n {
		return e, nil, ErrElements
	}
	return Element{[2]byte{p[0], p[1]}, p[4 : 4+n : 4+n]}, p[4+n:], nil
}

// AppendElement appends an element to the text of field 48; data of more than 99
// characters are refused.
func AppendElement(dst []byte, e Element) ([]byte, error) {
	if len(e.Data) > 99 {
		return dst, ErrElements
	}
	dst = append(dst, e.ID[0], e.ID[1], byte('0'+len(e.Data)/10), byte('0'+len(e.Data)%10))
	return append(dst, e.Data...), nil
}
