// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"bytes"
	"slices"

	"tapswitch/internal/money"
	"tapswitch/iso8583/bertlv"
)

// maxEntries bounds the card's directory.
const maxEntries = 16

const ppseName = "2PAY.SYS.DDF01"

// combination is an application of the terminal that this amount allows, with
// the qualifiers that follow from the amount (book B, pre-processing).
type combination struct {
	app Application
	ttq [4]byte
}

// preprocess compares the amount with every application's limits. reason says
// why there is none.
func preprocess(apps []Application, amount money.MinorUnits) (allowed []combination, reason Reason) {
	for _, a := range apps {
		switch {
		case amount == 0 && !a.ZeroOK:
			reason = ZeroAmount
			continue
		case amount >= a.MaxMinor:
			reason = AmountAboveLimit
			continue
		}
		c := combination{app: a, ttq: a.TTQ}
		c.ttq[1] |= ttq2Online // the terminal is online only: its floor limit is nothing
		if amount >= a.CVMMinor {
			c.ttq[1] |= ttq2CVM
		}
		allowed = append(allowed, c)
	}
	return allowed, reason
}

// candidate is an application that card and terminal have in common.
type candidate struct {
	combination
	name     []byte // the card's
	priority byte   // 1 first; 0 after 15
}

// candidates reads the card's directory. reason says why there is none.
func candidates(fci []byte, allowed []combination) (list []candidate, reason Reason) {
	if bertlv.Check(fci) != nil {
		return nil, DirectoryMalformed
	}
	entries, ok := bertlv.Path(fci, bertlv.FCITemplate, bertlv.FCIProprietary, bertlv.FCIDiscretionary)
	if !ok {
		return nil, DirectoryMalformed
	}
	reason = NoCommonApplication
	seen := 0
	w := bertlv.NewWalker(entries)
	for w.Next() {
		if w.Tag != bertlv.AppTemplate {
			continue
		}
		if seen++; seen > maxEntries {
			return nil, DirectoryMalformed
		}
		c, why := match(w.Value, allowed)
		if why == "" {
			list = append(list, c)
		} else if why == KernelNotBuilt {
			reason = why
		}
	}
	slices.SortStableFunc(list, func(a, b candidate) int { return int(a.priority) - int(b.priority) })
	return list, reason
}

// match finds the terminal's application for one entry of the directory.
func match(entry []byte, allowed []combination) (candidate, Reason) {
	name, ok := bertlv.Find(entry, bertlv.ADFName)
	if !ok || len(name) < minAID || len(name) > maxAID {
		return candidate{}, NoCommonApplication
	}
	kernel, ok := requestedKernel(entry, name)
	if !ok {
		return candidate{}, KernelNotBuilt
	}
	for _, c := range allowed {
		if c.app.Kernel == kernel && bytes.HasPrefix(name, c.app.AID) {
			const last = 16 // after every stated priority
			priority := byte(last)
			if p, ok := bertlv.Find(entry, bertlv.AppPriority); ok && len(p) == 1 && p[0]&0x0F != 0 {
				priority = p[0] & 0x0F
			}
			return candidate{c, bytes.Clone(name), priority}, ""
		}
	}
	return candidate{}, NoCommonApplication
}

// requestedKernel is the kernel that the card asks for, or the scheme's default;
// ok is false for a kernel that is not built.
func requestedKernel(entry, name []byte) (ID, bool) {
	id, ok := bertlv.Find(entry, bertlv.KernelIdentifier)
	if ok && len(id) > 0 {
		if id[0]&0x80 != 0 { // a domestic kernel, named by the bytes that follow
			return 0, false
		}
		if k := ID(id[0] & 0x3F); k != 0 {
			return k, k == Visa || k == UnionPay
		}
	}
	switch string(name[:minAID]) {
	case "\xA0\x00\x00\x00\x03":
		return Visa, true
	case "\xA0\x00\x00\x03\x33":
		return UnionPay, true
	}
	return 0, false
}
