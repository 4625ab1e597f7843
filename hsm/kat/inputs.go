// SPDX-License-Identifier: Apache-2.0

package kat

import (
	"encoding/hex"
	"fmt"
	"strings"

	"tapswitch/hsm"
	"tapswitch/internal/secret"
)

// Inputs are a vector's inputs by name. An input that is not there, or not of
// the form asked for, is an error.
type Inputs struct{ v Vector }

// Text is an input as it stands.
func (in Inputs) Text(name string) string { s, _ := in.v.Inputs[name].(string); return s }

// Has reports whether the vector has the input.
func (in Inputs) Has(name string) bool { _, ok := in.v.Inputs[name]; return ok }

// Number is an integer input.
func (in Inputs) Number(name string) int { f, _ := in.v.Inputs[name].(float64); return int(f) }

// Bytes is a hexadecimal input.
func (in Inputs) Bytes(name string) ([]byte, error) {
	b, err := hex.DecodeString(in.Text(name))
	if err != nil || !in.Has(name) {
		return nil, fmt.Errorf("%w: input %s is not hexadecimal", hsm.ErrInput, name)
	}
	return b, nil
}

// List is an input of several hexadecimal values.
func (in Inputs) List(name string) ([][]byte, error) {
	list, ok := in.v.Inputs[name].([]any)
	if !ok {
		return nil, fmt.Errorf("%w: input %s is not a list", hsm.ErrInput, name)
	}
	var out [][]byte
	for _, e := range list {
		text, _ := e.(string)
		b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
		if err != nil {
			return nil, fmt.Errorf("%w: input %s is not hexadecimal", hsm.ErrInput, name)
		}
		out = append(out, b)
	}
	return out, nil
}

// Key is a clear test key.
func (in Inputs) Key(name string) (secret.Key, error) {
	b, err := in.Bytes(name)
	if err != nil {
		return secret.Key{}, err
	}
	return secret.NewKey(b)
}

// PAN is a card number.
func (in Inputs) PAN(name string) (secret.PAN, error) { return secret.NewPAN([]byte(in.Text(name))) }

// Hex writes an answer as vectors do.
func Hex(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) }

// cut is the first n bytes of an answer, written as vectors do; all when n is 0.
func cut(b []byte, n int) (string, error) {
	if n < 0 || n > len(b) {
		return "", fmt.Errorf("%w: %d bytes wanted of %d", hsm.ErrInput, n, len(b))
	}
	if n > 0 {
		b = b[:n]
	}
	return Hex(b), nil
}
