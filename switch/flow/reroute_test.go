// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"slices"
	"strings"

	"tapswitch/internal/secret"
	"tapswitch/switch/record"
	"tapswitch/switch/replay"
	"tapswitch/switch/txn"
)

// Another is the links beside the first, in the order of the command others.
func (w *world) Another(_ secret.PAN, _ txn.Class, tried []string) (string, error) {
	for _, l := range w.others {
		if !slices.Contains(tried, l) {
			return l, nil
		}
	}
	return "", txn.DeclineLinkDown
}

// on names a link, unless it is the first.
func on(link string) string {
	if link == "acq" {
		return ""
	}
	return " on " + link
}

// describeRerouted is where a payment goes now.
func describeRerouted(body []byte) string {
	link, _ := record.ParseRerouted(body)
	return "rerouted" + on(link)
}

// rerouteCommand carries out the commands of other links, if it is one.
func (w *world) rerouteCommand(words []string, args map[string]string, k txn.Key) bool {
	switch {
	case words[0] == "others":
		w.others = words[1:]
	case words[0] == "meanwhile-unsent":
		rest := strings.Join(words[1:], " ")
		w.atFirst = func() { w.atFirst = nil; w.command(rest) }
	case words[0] == "late" && args["link"] != "": // a yes from a link that may not have been asked
		p, _ := w.index.Find(k)
		w.flow.Late(replay.NewLinkKey(args["link"], p.Numbers), txn.SaidYes)
	default:
		return false
	}
	return true
}
