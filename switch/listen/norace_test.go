// SPDX-License-Identifier: Apache-2.0

//go:build !race

package listen

// underRace tells whether the race detector is on.
const underRace = false
