// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// termLine is a line of the terminal's log.
type termLine struct {
	Event   string `json:"event"`
	Trace   int64  `json:"trace"`
	Batch   string `json:"batch"`
	RRN     string `json:"rrn"`
	Auth    string `json:"auth"`
	Card    string `json:"card"`
	Amount  int64  `json:"amount_minor"`
	CVM     string `json:"cvm"`
	Code    string `json:"code"`
	Outcome string `json:"outcome"`
	Reason  string `json:"reason"`
	Done    bool   `json:"done"`
}

// switchLine is a line of the switch's log: a payment, a reversal's delivery, or
// something else.
type switchLine struct {
	Msg      string `json:"msg"`
	Class    string `json:"class"`
	Outcome  string `json:"outcome"`
	Reason   string `json:"reason"`
	Code     string `json:"code"`
	Trace    int64  `json:"trace"`
	STAN     int64  `json:"stan"`
	Original int64  `json:"original"`
	RRN      string `json:"rrn"`
	Card     string `json:"card"`
	Amount   string `json:"amount"`
	Link     string `json:"link"`
	End      string `json:"end"`
	Repeat   bool   `json:"repeat"`
}

// bookLine is a line of an acquirer's books.
type bookLine struct {
	MTI      string `json:"mti"`
	STAN     string `json:"stan"`
	RRN      string `json:"rrn"`
	F7       string `json:"f7"`
	Terminal string `json:"terminal"`
	Account  string `json:"account"`
	PAN      string `json:"pan"`
	Amount   int64  `json:"amount_minor"`
	Original string `json:"original"`
	Response string `json:"response"`
	Auth     string `json:"auth_code"`
	Reason   string `json:"reason"`
	MAC      string `json:"mac"`
	PIN      string `json:"pin"`
	ARQC     string `json:"arqc"`
	Mood     string `json:"mood"`
	Effect   string `json:"effect"`
	Balance  int64  `json:"balance_minor"`
}

// journalLine is a record of the journal as `journal dump -o json` shows it.
type journalLine struct {
	Seq    uint64 `json:"seq"`
	Kind   string `json:"kind"`
	Batch  int64  `json:"batch"`
	Trace  int64  `json:"trace"`
	Card   string `json:"card"`
	Amount int64  `json:"amount_minor"`
	Link   string `json:"link"`
	STAN   int64  `json:"stan"`
	RRN    string `json:"rrn"`
	Event  string `json:"event"`
	Code   string `json:"code"`
	Reason string `json:"reason"`
}

// metrics are counters by name and labels, as Prometheus writes them:
// name{a="b",c="d"}.
type metrics map[string]float64

// evidence is what the parts of one run left behind, each from its own file.
type evidence struct {
	terminal []termLine
	events   []switchLine
	books    map[string][]bookLine // by link
	journal  []journalLine
	counted  metrics // what /metrics rose by; nil when it was not kept
}

// gather reads a stage that stands still.
func gather(t *testing.T, dir string) *evidence {
	t.Helper()
	e := &evidence{
		terminal: readLines[termLine](t, filepath.Join(dir, "terminal.log")),
		events:   readLines[switchLine](t, filepath.Join(dir, "switch.log")),
		books:    map[string][]bookLine{},
	}
	for _, link := range []string{"acq-a", "acq-b"} {
		e.books[link] = readLines[bookLine](t, filepath.Join(dir, link+".books.jsonl"))
	}
	verified := call(t, "journal", "verify", filepath.Join(dir, "journal"))
	if verified.code != 0 {
		t.Errorf("journal verify: %+v", verified)
	}
	dump := call(t, "journal", "dump", "-o", "json", filepath.Join(dir, "journal"))
	if dump.code != 0 {
		t.Fatalf("journal dump: %+v", dump)
	}
	e.journal = parseLines[journalLine](t, "journal dump", dump.stdout)
	before, err := os.ReadFile(filepath.Join(dir, "metrics.before"))
	if errors.Is(err, fs.ErrNotExist) {
		return e
	}
	after, err2 := os.ReadFile(filepath.Join(dir, "metrics.after"))
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	e.counted = readMetrics(t, string(after)).minus(readMetrics(t, string(before)))
	return e
}

func readLines[T any](t *testing.T, path string) []T {
	t.Helper()
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return parseLines[T](t, path, string(b))
}

func parseLines[T any](t *testing.T, from, text string) (all []T) {
	t.Helper()
	for line := range strings.Lines(text) {
		if !strings.HasSuffix(line, "\n") {
			return all // it is being written, or was when its writer was killed
		}
		var l T
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%s: %v in %q", from, err, line)
		}
		all = append(all, l)
	}
	return all
}

// readMetrics reads counters and gauges of the Prometheus text form.
func readMetrics(t *testing.T, text string) metrics {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatalf("/metrics: %v", err)
	}
	m := metrics{}
	for name, family := range families {
		for _, one := range family.GetMetric() {
			var labels []string
			for _, l := range one.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			key := name + "{" + strings.Join(labels, ",") + "}"
			m[key] = one.GetCounter().GetValue() + one.GetGauge().GetValue()
			if h := one.GetHistogram(); h != nil {
				m[key] = float64(h.GetSampleCount())
			}
		}
	}
	return m
}

// minus is what has risen since.
func (m metrics) minus(before metrics) metrics {
	d := metrics{}
	for k, v := range m {
		if v -= before[k]; v != 0 {
			d[k] = v
		}
	}
	return d
}

// sum adds up every combination of a name whose labels have all these parts.
func (m metrics) sum(name string, with ...string) (n float64) {
next:
	for k, v := range m {
		if !strings.HasPrefix(k, name+"{") {
			continue
		}
		for _, w := range with {
			if !strings.Contains(strings.NewReplacer("{", ",", "}", ",").Replace(k), ","+w+",") {
				continue next
			}
		}
		n += v
	}
	return n
}
