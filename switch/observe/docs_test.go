// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"tapswitch/internal/pagetest"
)

// labelDocs is what the values of a label mean. A test of switch/node holds the
// page against the sets that a switch really uses.
func labelDocs() [][2]string {
	return [][2]string{
		{"class", "`purchase`, `reversal`, `sign_on`, `sign_off`, `echo`, `balance`, `cash`, `void`, `settle`, `offline_sale`, `refund`, `pre_authorization`, `pre_authorization_void`, `completion`, `completion_void`, `completion_advice`, `upload`, `batch_end`, `cashback`, `adjustment`, `script_result`, `stand_in` (never: its advice is no message of a terminal)"},
		{"outcome of a payment", "`approved`, `declined`"},
		{"reason of a payment", "the [reasons](reasons.md); `none` for a yes, `stood_in` for one that was [decided here](../operating/stand-in.md); of an offline sale that is [held over its limit](../operating/store-and-forward.md#an-offline-sale-over-a-limit) which; of a settlement why it is not balanced, of an upload that it opened cases"},
		{"state and event of a payment", "the [states and events](states.md) of its life"},
		{"link", "the names of the configuration's `links`"},
		{"outcome of an exchange", "`answered` (yes or no), `not_sent` (surely nothing left), `no_answer` (sent and unknown: reversed), `failed_checks` (reversed)"},
		{"outcome of a delivery (saf)", "`acknowledged`, `refused` (answered with a code that asks to come again), `no_answer`, `case` (sent no more, a case is open)"},
		{"reason of a case", "`reversal_refused`, `reversal_expired`, `advice_refused`, `advice_expired`"},
		{"operation", "`mac`, `verify_mac`, `translate_pin`, `verify_pvv`, `verify_arqc`, `arpc`, `generate_set`, `seal`, `open`, `token`"},
		{"outcome of the HSM or the journal", "`ok`, `refused` (the module or the journal said no: a wrong MAC, PIN or cryptogram too), `busy`, `unavailable`, `full`, `failed`"},
		{"token", "the labels of `hsm.token` and `hsm.members` of the configuration; with its library behind where two labels are the same"},
		{"reason of a listener: frames", "`frame_length_zero`, `frame_too_short`, `frame_too_long`, `frame_length_not_digits`, `frame_header_length_wrong`, `frame_end_inside_length`, `frame_end_inside_frame`, `frame_read_failed`"},
		{"reason of a listener: connections", "`too_many_connections`, `accept_failed`, `tls_handshake_failed`, `idle`, `message_too_slow`, `connection_lost`, `end_of_stream` (the terminal hung up, which is no fault), `too_many_messages`"},
		{"reason of a listener: answers", "`answer_does_not_fit_the_frame`, `answer_not_written` (an approval is reversed), `answer_maybe_written` (presumed delivered)"},
		{"reason of a listener: messages", "`message_malformed`, `malfunction`"},
		{"event of a link: its host", "`host_message_unreadable`, `host_frame_broken`, `host_request_unserved`, `host_network_answer_unasked`, `host_network_request`, `host_echo_refused`, `network_message_not_built`"},
		{"event of a link: requests", "`request_timeout`, `request_connection_lost`, `request_not_sent`"},
		{"event of a link: answers", "`answer_matched`, `answer_late`, `answer_duplicate`, `answer_unknown`, `answer_wrong_link`"},
		{"version", "of the program"},
	}
}

// TestMetricsPage generates docs/reference/metrics.md from the registry.
func TestMetricsPage(t *testing.T) {
	var b strings.Builder
	b.WriteString(`# Metrics

Everything that ` + "`/metrics`" + ` shows under ` + "`tapswitch_`" + `, beside the usual ` + "`go_`" + ` and ` + "`process_`" + ` metrics. Made from the registry by
` + "`go test ./switch/observe -run Page -rewrite`" + `.

Label values come from closed sets that are fixed at start; a value outside its set counts as ` + "`other`" + ` and is never shown. Nothing in a label
comes from a message. A counter with labels appears once it has counted. Durations are histograms from 100 µs to 10 s, in seconds.

| metric | type | labels | what it says |
|---|---|---|---|
`)
	for _, m := range everyMetric(t) {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", m.name, m.kind, m.labels, m.help)
	}
	b.WriteString("\n## Values of labels\n\n| label | values |\n|---|---|\n")
	for _, l := range labelDocs() {
		fmt.Fprintf(&b, "| %s | %s |\n", l[0], l[1])
	}
	b.WriteString("\nWhat to watch and what to do about it: [faults](../operating/faults.md).\n")
	pagetest.Check(t, *rewrite, "metrics.md", b.String(), "go test ./switch/observe -run Page -rewrite")
}

type metricDoc struct{ name, kind, labels, help string }

// everyMetric counts each family once, so that all of them show, and holds what
// shows against what is registered.
func everyMetric(t *testing.T) (out []metricDoc) {
	o := New(Options{Log: io.Discard, Version: "x", Sets: Sets{Links: []string{"link"}, Classes: []string{"c"}, Tokens: []string{"t"}, Operations: []string{"o"}}})
	for _, f := range []*family{o.payments, o.moves, o.refused, o.exchanges, o.lateAnswers, o.linkEvents, o.hsmCalls, o.passedOn, o.appends, o.safAttempts, o.safCases} {
		f.each[0].Inc()
	}
	gathered, err := o.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, g := range gathered {
		if !strings.HasPrefix(g.GetName(), "tapswitch_") {
			continue
		}
		var labels []string
		for _, l := range g.GetMetric()[0].GetLabel() {
			labels = append(labels, l.GetName())
		}
		names = append(names, g.GetName())
		out = append(out, metricDoc{g.GetName(), strings.ToLower(g.GetType().String()), strings.Join(labels, ", "), g.GetHelp()})
	}
	described := make(chan *prometheus.Desc, 256)
	o.registry.Describe(described)
	close(described)
	for d := range described {
		name := strings.SplitN(d.String(), `"`, 3)[1]
		if strings.HasPrefix(name, "tapswitch_") && !slices.Contains(names, name) {
			t.Errorf("metric %s is registered and has no line: count it in everyMetric", name)
		}
	}
	return out
}
