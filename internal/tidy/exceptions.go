// SPDX-License-Identifier: Apache-2.0

package tidy

import "fmt"

// Exception allows one finding, for a reason that a reviewer accepted.
type Exception struct {
	Rule string
	Path string
	Name string // as in Finding.Name; "" stands for every name in Path
	Why  string
}

// Exceptions are the named exceptions of this tree.
func Exceptions() []Exception {
	return []Exception{
		{Rule: "panic", Path: "simulators/world/machine.go",
			Why: "power is lost in the middle of an operation of the disk: the coroutine that asked for it must go no further"},
		{Rule: "panic", Path: "simulators/world/sched.go",
			Why: "a coroutine of a dead machine is unwound where it stands, and one that waits outside of every coroutine would hang the whole world"},
	}
}

// apply removes what the exceptions allow and reports every exception that
// allows nothing or gives no reason.
func apply(all []Finding, except []Exception) []Finding {
	used := make([]bool, len(except))
	var left []Finding
	for _, f := range all {
		if i := allowedBy(f, except); i >= 0 {
			used[i] = true
			continue
		}
		left = append(left, f)
	}
	for i, e := range except {
		if !used[i] {
			left = append(left, Finding{Rule: "exception", Path: e.Path, Name: e.Name,
				Text: fmt.Sprintf("the exception from rule %q is not needed any more: delete it", e.Rule)})
		}
		if e.Why == "" {
			left = append(left, Finding{Rule: "exception", Path: e.Path, Name: e.Name,
				Text: fmt.Sprintf("the exception from rule %q has no reason: write one", e.Rule)})
		}
	}
	return left
}

func allowedBy(f Finding, except []Exception) int {
	for i, e := range except {
		if e.Rule == f.Rule && e.Path == f.Path && (e.Name == "" || e.Name == f.Name) {
			return i
		}
	}
	return -1
}
