// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"bytes"

	"tapswitch/hsm"
)

// nearby are the keys that a worker used last and that all payments have in common.
// They are in use for as long as they are here, so that nobody else is asked for
// them. Keys of terminals come in any number and are looked for in the cache.
type nearby struct {
	generation uint64 // of the link: objects die with their sessions
	bindings   [nearKeys][16]byte
	keys       [nearKeys]hsm.Key // copies
	entries    [nearKeys]*entry
	next       int // to be replaced
}

// nearKeys are the keys of one payment that are not its terminal's.
const nearKeys = 8

func ofTerminal(u hsm.Usage) bool {
	return u == hsm.TMK || u == hsm.TPK || u == hsm.TAK || u == hsm.TDK || u == hsm.BDK || u == hsm.IK
}

// find returns the entry of a key that is here, equal in all that is bound.
func (n *nearby) find(k *hsm.Key, generation uint64) *entry {
	if generation == 0 || generation != n.generation || ofTerminal(k.Usage) {
		return nil
	}
	for i := range n.bindings {
		if n.bindings[i] == k.Binding && n.entries[i] != nil && sameKey(&n.keys[i], k) {
			return n.entries[i]
		}
	}
	return nil
}

// put takes over one use of an entry and returns the entry whose use ends.
func (n *nearby) put(k *hsm.Key, e *entry) (old *entry) {
	i := n.next
	n.next = (i + 1) % nearKeys
	old = n.entries[i]
	n.keys[i], n.entries[i], n.bindings[i] = *k, e, k.Binding
	n.keys[i].Wrapped = bytes.Clone(k.Wrapped)
	return old
}

// use holds an entry in use until the job ends, or for longer when the key is
// one of those that all payments have in common.
func (w *worker) use(k *hsm.Key, e *entry) {
	if w.generation == 0 || ofTerminal(k.Usage) {
		w.held = append(w.held, e)
		return
	}
	if w.nearby.generation != w.generation {
		w.nearby = nearby{generation: w.generation}
	}
	if old := w.nearby.put(k, e); old != nil {
		w.held = append(w.held, old) // its objects may be in use by this job
	}
}
