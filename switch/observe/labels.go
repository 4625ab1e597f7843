// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"slices"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// The two values that every set has: for what is not in it, and for nothing.
const (
	other = "other"
	none  = "none"
)

// labels are up to three closed sets and the way from a combination to a cell
// of a flat table. The last value of each set is "other".
type labels struct {
	set [][]string
	at  []map[string]int
}

func newLabels(sets ...[]string) labels {
	var l labels
	for _, s := range sets {
		values := []string{}
		for _, v := range s {
			if v == "" {
				v = none
			}
			if v != other && !slices.Contains(values, v) {
				values = append(values, v)
			}
		}
		if !slices.Contains(values, none) {
			values = append(values, none)
		}
		values = append(values, other)
		at := make(map[string]int, len(values))
		for i, v := range values {
			at[v] = i
		}
		l.set, l.at = append(l.set, values), append(l.at, at)
	}
	return l
}

// index is the place of a value in set i; a value that is not in it is "other".
func (l labels) index(i int, value string) int {
	if value == "" {
		value = none
	}
	if n, ok := l.at[i][value]; ok {
		return n
	}
	return len(l.set[i]) - 1
}

// name is the value as it may be shown.
func (l labels) name(i int, value string) string { return l.set[i][l.index(i, value)] }

// count is one counter of a family.
type count struct {
	n      atomic.Uint64
	values []string // its label values
}

// Inc adds one.
func (c *count) Inc() { c.n.Add(1) }

// family is one counter per combination of closed sets, made once at start. A
// combination shows in /metrics only after it was counted, so that thousands
// of possible ones cost no one anything.
type family struct {
	labels labels
	desc   *prometheus.Desc
	each   []*count
}

// of is the counter of a combination.
func (f *family) of(values ...string) *count {
	cell := 0
	for i, v := range values {
		cell = cell*len(f.labels.set[i]) + f.labels.index(i, v)
	}
	return f.each[cell]
}

// Describe and Collect make a family a prometheus.Collector.
func (f *family) Describe(ch chan<- *prometheus.Desc) { ch <- f.desc }

// Collect sends what was counted.
func (f *family) Collect(ch chan<- prometheus.Metric) {
	for _, c := range f.each {
		if n := c.n.Load(); n > 0 {
			ch <- prometheus.MustNewConstMetric(f.desc, prometheus.CounterValue, float64(n), c.values...)
		}
	}
}

// builder makes collectors in one registry. Registering twice is a mistake of
// this package that its tests show, hence the Must.
type builder struct{ registry *prometheus.Registry }

func (b builder) counter(name, help string) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	b.registry.MustRegister(c)
	return c
}

func (b builder) gauge(name, help string) prometheus.Gauge {
	g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	b.registry.MustRegister(g)
	return g
}

func (b builder) family(name, help string, l labels, names ...string) *family {
	f := &family{labels: l, desc: prometheus.NewDesc(name, help, names, nil)}
	combine(l.set, nil, func(values []string) { f.each = append(f.each, &count{values: values}) })
	b.registry.MustRegister(f)
	return f
}

func (b builder) histogram(name, help string) prometheus.Histogram {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets()})
	b.registry.MustRegister(h)
	return h
}

func (b builder) histograms(name, help, label string, values []string) (each []prometheus.Observer) {
	v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets()}, []string{label})
	b.registry.MustRegister(v)
	for _, value := range values {
		each = append(each, v.WithLabelValues(value))
	}
	return each
}

func (b builder) gauges(name, help, label string, values []string) (each []prometheus.Gauge) {
	v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, []string{label})
	b.registry.MustRegister(v)
	for _, value := range values {
		each = append(each, v.WithLabelValues(value))
	}
	return each
}

// combine calls fn for every combination, the last set turning fastest.
func combine(sets [][]string, head []string, fn func([]string)) {
	if len(sets) == 0 {
		fn(head)
		return
	}
	for _, v := range sets[0] {
		combine(sets[1:], append(slices.Clone(head), v), fn)
	}
}
