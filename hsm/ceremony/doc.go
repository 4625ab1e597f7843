// SPDX-License-Identifier: Apache-2.0

// Package ceremony is the key ceremony by which the local master keys of a
// security module come to be, come back, or give way to the next generation:
// components of 2 to 9 custodians, under the eyes of an officer and a witness.
//
// Promise: no key is formed before every component was entered again by its
// custodian and compared, and two persons besides the custodians said yes. No
// component byte is in state, transcript, event or text; what is on disk is who
// did what, check values and hashes. A ceremony that was interrupted at any
// moment goes on, and one whose transcript was altered does not.
//
// How: Step is a pure machine (state and event in, state and actions out). Every
// event is a line of the transcript, chained by SHA-256 and durable before its
// actions are done, so the transcript is the state: Replay steps through it, and
// verifying one is the same. Run (run.go) does the actions at a Desk, where people
// sit, and a Vault, the module; components live on locked pages (hsm/clear) that
// Run alone holds. Texts are in English and Chinese (texts.go).
//
// Imported by: cmd. Imports: hsm/clear, internal/env.
package ceremony
