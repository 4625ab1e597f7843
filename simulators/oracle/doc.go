// SPDX-License-Identifier: Apache-2.0

// Package oracle holds what happened against what the switch promises.
//
// Promise: Judge looks at the history alone. It finds every broken promise that
// the history shows, names the payments concerned, and never says the same of
// two equal histories differently.
//
// How: History is what three sides kept, each by itself: what terminals asked
// and were told (seen.go), what acquirers were asked and hold in their books,
// and what the switch's journal has. A check is a function over it (money.go, hold.go,
// words.go); Judge runs them all once everything is drained.
//
// Imported by: simulators/world, and by tests that drive the real binary.
// Imports: the standard library.
//
// Non-obvious, what is not checked here: promise 9 (nothing sensitive at rest or in telemetry) needs
// the files themselves; who searched them says so in History.Clear. Of promise 2, that a repeat
// past the replay window gets 94 shows in no history, and of an altered one that it is refused, not by which code. Of promise 3, a case
// that was opened for its age has no cause that a history shows. Of promise 10, the counter of a refusal is telemetry, which no history has (`tapswitch crashtest` reads it); of 11, only that a try is
// counted durably, once, and before the answer. Every check but these looks at a
// drained history: links up, terminals' reversal memories empty.
package oracle
