// SPDX-License-Identifier: Apache-2.0

// Command mutants checks the checker: it breaks the switch on purpose, one small
// way at a time, and asks the unchanged simulated world, or the crash test, to find it.
//
// Promise: a mutant counts as found when the program built with it exits with
// code 1 and names a broken promise; nothing in the tree is changed by it. A
// patch that fits the code no longer, or does not compile, is named and fails.
//
// How: a mutant is a patch of testdata/mutants (patch.go), applied to copies of
// the files that it changes; go build -overlay takes the copies in place of the files, so that
// product code needs no hook for it (build.go). hunt.go plays the seeds from the
// first on, always the same number; page.go keeps the list in docs/TESTING.md.
//
// Imports: the standard library.
package main
