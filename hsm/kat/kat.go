// SPDX-License-Identifier: Apache-2.0

// Package kat runs files of known answers through an HSM driver, on a token that
// was made for this alone.
//
// Promise: a vector passes only when the answer is the expected one to the last
// digit, or when an input that must be refused was refused; a function that is
// not built, or that the module cannot do, is counted apart with the reason.
//
// How: Functions says for every function name how it is computed: through the
// driver's own functions where the vector's inputs fit them, else as the product
// computes it, with every cipher operation done by the module (Raw).
//
// Imported by: cmd. Imports: hsm and its pure packages, internal/secret.
package kat

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"tapswitch/hsm"
)

// Vector is one line of a vector file.
type Vector struct {
	ID       string          `json:"id"`
	Function string          `json:"function"`
	Inputs   map[string]any  `json:"inputs"`
	Expected json.RawMessage `json:"expected"`
	Type     string          `json:"expected_type"` // hex, digits, text, error
	Reason   string          `json:"reason"`        // why it must be refused
}

// refused is what the expected value of a vector is that must be refused.
const refused = "ERROR"

// Parse reads a vector file: a JSON array of vectors.
func Parse(raw []byte) ([]Vector, error) {
	var out []Vector
	if err := json.Unmarshal(raw, &out); err != nil {
		return nil, fmt.Errorf("not a file of vectors (a JSON array of objects with function, inputs and expected): %w", err)
	}
	for i, v := range out {
		if v.Function == "" || v.Inputs == nil {
			return nil, fmt.Errorf("vector %d (%s) has no function or no inputs", i+1, v.ID)
		}
	}
	return out, nil
}

// Family is what functions are counted by: the name up to its last two parts.
func (v Vector) Family() string {
	family, _, _ := strings.Cut(v.Function, ".")
	return family
}

// Outcome of one vector.
type Outcome uint8

// The outcomes.
const (
	Passed Outcome = iota + 1
	Failed
	Unsupported
)

// String is the outcome in a word.
func (o Outcome) String() string {
	return [...]string{Passed: "passed", Failed: "failed", Unsupported: "unsupported"}[o]
}

// Result is what came of one vector. Got is published test data.
type Result struct {
	Vector  Vector
	Outcome Outcome
	Got     string
	Why     string // failed or unsupported: the reason
}

// unsupported is the error of what is not built or what the module cannot do.
type unsupported struct{ why string }

func (u unsupported) Error() string { return u.why }

// Function computes one vector's answer as the vector writes it.
type Function func(ctx context.Context, m Module, in Inputs) (string, error)

// Run computes one vector and compares.
func Run(ctx context.Context, m Module, functions map[string]Function, v Vector) Result {
	compute, ok := functions[v.Function]
	if !ok {
		return Result{v, Unsupported, "", "no function of this name is built"}
	}
	in := Inputs{v: v}
	got, err := compute(ctx, m, in)
	var missing unsupported
	if errors.As(err, &missing) {
		return Result{v, Unsupported, "", missing.why}
	}
	if errors.Is(err, hsm.ErrUnsupported) {
		return Result{v, Unsupported, "", err.Error()}
	}
	want, known := v.want()
	switch {
	case !known:
		return Result{v, Failed, got, "the expected value is not of its type"}
	case v.Type == "error" && err == nil:
		return Result{v, Failed, got, "not refused, though " + v.Reason}
	case v.Type == "error":
		return Result{v, Passed, "", ""}
	case err != nil:
		return Result{v, Failed, "", err.Error()}
	case got != want:
		return Result{v, Failed, got, "want " + want}
	}
	return Result{v, Passed, got, ""}
}

// want is the expected value, and whether it is one.
func (v Vector) want() (string, bool) {
	var s string
	if json.Unmarshal(v.Expected, &s) != nil || s == "" {
		return "", false
	}
	return s, v.Type != "error" || s == refused
}
