// SPDX-License-Identifier: Apache-2.0

// Package assert stops the process when our own reasoning was wrong.
//
// Promise: a call of Fail never returns, and its text never holds card data.
//
// How: write `if bad { assert.Fail("journal %d: postings sum to %d", seq, sum) }`
// so that nothing is paid while all is well. Bad input, a dead HSM and a full
// disk are errors, never assertions.
//
// Imported by: everything. Imports: the standard library.
package assert

import "fmt"

// Violation is the value an assertion panics with, so that a test can tell an
// assertion from any other panic.
type Violation string

// Error gives the text of the broken assertion.
func (v Violation) Error() string { return "assertion failed: " + string(v) }

// Fail stops the process: the invariant described by format does not hold.
// The arguments must not be card data.
func Fail(format string, args ...any) {
	panic(Violation(fmt.Sprintf(format, args...)))
}
