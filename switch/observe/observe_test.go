// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"tapswitch/internal/money"
	"tapswitch/internal/secret"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the golden files")

// canary is a published test card number; it must never come out anywhere.
const canary = "6299999999999999"

func sets() Sets {
	return Sets{
		Classes: []string{"purchase", "reversal"}, Outcomes: []string{"approved", "declined"},
		Reasons: []string{"", "pin_wrong", "no_route"}, Refusals: []string{"too_long"},
		Links: []string{"acq-a", "acq-b"}, Exchanges: []string{"answered", "timed_out"},
		LinkEvents: []string{"garbage"}, Attempts: []string{"done"}, Cases: []string{"refused"},
		Operations: []string{"verify_mac"}, Results: []string{"ok", "failed"},
	}
}

func sample() Event {
	return Event{
		At: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Class: "purchase", Outcome: "declined", Reason: "pin_wrong", Code: "55",
		Terminal: "10000001", Merchant: "123456789012345", Batch: 1, Trace: 7, STAN: 500001, RRN: "606012500001",
		Card: "622424******0069", Amount: money.Amount{Minor: 1234, Currency: money.CNY}, Link: "acq-a", Issuer: "test-up", PIN: true, Chip: true,
		Steps: []Step{{"authenticate", 210 * time.Microsecond}, {"exchange", 3 * time.Millisecond}},
		HSM:   300 * time.Microsecond, Journal: 900 * time.Microsecond, Acquirer: 3 * time.Millisecond, Total: 5 * time.Millisecond,
	}
}

// scrape reads /metrics and returns name{labels} → value of counters and gauges.
func scrape(t *testing.T, o *Observer) (text string, values map[string]float64) {
	t.Helper()
	w := httptest.NewRecorder()
	o.Handler(nil).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("/metrics answers %d", w.Code)
	}
	text = w.Body.String()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	values = map[string]float64{}
	for name, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetValue())
			}
			v := m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			values[name+"{"+strings.Join(labels, ",")+"}"] = v
		}
	}
	return text, values
}

// drain runs the encoder until nothing waits.
func drain(o *Observer) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	o.Run(ctx)
}

func TestClosedSets(t *testing.T) {
	var log bytes.Buffer
	o := New(Options{Sets: sets(), Version: "test", Log: &log})
	_, before := scrape(t, o)

	o.Payment(sample())
	forged := sample()
	forged.Class, forged.Outcome, forged.Reason, forged.Link = canary, canary, canary, canary
	o.Payment(forged)
	o.Refused(canary)
	o.Exchange(canary, canary, time.Second)
	o.LateAnswer(canary)
	o.LinkState("acq-a", true, 3)
	o.LinkState(canary, true, 1)
	o.HSMCall("verify_mac", "ok", time.Millisecond)
	o.HSMCall(canary, canary, time.Millisecond)
	o.Appended("ok", time.Millisecond)
	o.SAF(2, time.Minute, 1)
	o.SAFAttempt("acq-a", "done")
	o.SAFCase("acq-a", "refused")
	o.SAFCase(canary, canary)
	o.LinkEvents("acq-a")("garbage")
	o.LinkEvents("acq-a")(canary)
	drain(o)

	text, after := scrape(t, o)
	for _, want := range []string{
		"tapswitch_flow_payments_total{purchase,declined,pin_wrong}",
		"tapswitch_flow_payments_total{other,other,other}",
		"tapswitch_listen_refused_total{other}",
		"tapswitch_link_up{acq-a}",
		"tapswitch_link_late_answers_total{other}",
		"tapswitch_hsm_calls_total{verify_mac,ok}",
		"tapswitch_hsm_calls_total{other,other}",
		"tapswitch_journal_appends_total{ok}",
		"tapswitch_build_info{test}",
	} {
		if after[want] != 1 {
			t.Errorf("%s = %v, want 1", want, after[want])
		}
	}
	// Prometheus orders labels by name: event before link, link before outcome.
	for _, want := range []string{"tapswitch_saf_attempts_total{acq-a,done}", "tapswitch_link_events_total{garbage,acq-a}", "tapswitch_link_events_total{other,acq-a}"} {
		if after[want] != 1 {
			t.Errorf("%s = %v, want 1", want, after[want])
		}
	}
	if after["tapswitch_link_exchanges_total{other,other}"] != 1 || after["tapswitch_saf_depth{}"] != 2 {
		t.Errorf("exchanges or depth wrong: %v", after)
	}
	if before["tapswitch_flow_payments_total{other,other,other}"] != 0 {
		t.Error("counted before anything happened")
	}
	if strings.Contains(text, canary) || strings.Contains(log.String(), canary) {
		t.Error("an input became a label or a word of the log")
	}
}

// TestLogAndMetricsAgree: both come from one struct.
func TestLogAndMetricsAgree(t *testing.T) {
	var log bytes.Buffer
	o := New(Options{Sets: sets(), Log: &log})
	for i := range 30 {
		e := sample()
		if i%3 == 0 {
			e.Outcome, e.Reason = "approved", ""
		}
		o.Payment(e)
	}
	drain(o)
	_, values := scrape(t, o)
	approved := strings.Count(log.String(), `"outcome":"approved","reason":"none"`)
	if approved != 10 || values["tapswitch_flow_payments_total{purchase,approved,none}"] != 10 || values["tapswitch_observe_events_written_total{}"] != 30 {
		t.Errorf("log has %d approvals, metrics %v", approved, values)
	}
}

func TestEventLine(t *testing.T) {
	var log bytes.Buffer
	o := New(Options{Sets: sets(), Log: &log})
	o.Payment(sample())
	drain(o)
	if *rewrite {
		if err := os.WriteFile("testdata/event.json", log.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/event.json")
	if err != nil {
		t.Fatal(err)
	}
	if log.String() != string(want) {
		t.Errorf("the event's form changed\ngot  %swant %s", log.String(), want)
	}
}

// TestNoCardNumberInEvents fills every text of an Event with a card number.
func TestNoCardNumberInEvents(t *testing.T) {
	for _, text := range []string{canary, "x" + canary, canary + canary, "62-" + canary + "-99"} {
		var log bytes.Buffer
		o := New(Options{Sets: sets(), Log: &log})
		e := sample()
		v := reflect.ValueOf(&e).Elem()
		for i := range v.NumField() {
			if v.Field(i).Kind() == reflect.String {
				v.Field(i).SetString(text)
			}
		}
		e.Steps = []Step{{Name: text}}
		o.Payment(e)
		drain(o)
		if !strings.Contains(log.String(), `"msg":"payment"`) {
			t.Fatal("no event was written")
		}
		if strings.Contains(log.String(), canary) {
			t.Errorf("the event shows the card number: %s", log.String())
		}
	}
}

// TestNoCardNumberInLog logs a card number in every way a caller could.
func TestNoCardNumberInLog(t *testing.T) {
	pan, err := secret.NewPAN([]byte(canary))
	if err != nil {
		t.Fatal(err)
	}
	holder := struct {
		Number string
		inner  secret.PAN
		list   []string
	}{canary, pan, []string{canary}}
	var log bytes.Buffer
	l := New(Options{Sets: sets(), Log: &log, Level: slog.LevelDebug}).Log()
	l.Debug("say " + canary)
	l.Info("a", "text", canary, "in_text", "card="+canary+";", "number", 6299999999999999, "unsigned", uint64(6299999999999999))
	l.Info("b", "error", fmt.Errorf("failed for %s: %w", canary, errors.New(canary)), "bytes", []byte(canary))
	l.Info("c", "struct", holder, "pointer", &holder, "map", map[string]string{"k": canary}, "pan", pan)
	l.Info("d", slog.Group("g", slog.String("merchant", canary), slog.Any("x", []any{canary})))
	l.With("held", canary).WithGroup("in").Warn("e", "y", canary)
	if lines := strings.Count(log.String(), "\n"); lines != 6 {
		t.Fatalf("%d lines, want 6", lines)
	}
	if strings.Contains(log.String(), canary) {
		t.Errorf("the log shows the card number:\n%s", log.String())
	}
	if !strings.Contains(log.String(), "629999******9999") {
		t.Error("the masked form is gone, too: the log would be useless")
	}
}

func TestScrub(t *testing.T) {
	for in, want := range map[string]string{
		"":                          "",
		canary:                      "(digits)",
		"629999999999":              "629999999999",
		"a" + canary + "b" + canary: "a(digits)b(digits)",
		"4761739001010119 and 123":  "(digits) and 123",
		strings.Repeat("1", 20):     "(digits)",
		"606012500001":              "606012500001",
		"629999******9999":          "629999******9999",
	} {
		if got := scrub(in); got != want {
			t.Errorf("scrub(%q) = %q, want %q", in, got, want)
		}
	}
}

// TestRingOverflow: what does not fit is dropped, counted, and the log says so.
func TestRingOverflow(t *testing.T) {
	var log bytes.Buffer
	o := New(Options{Sets: sets(), Log: &log, Ring: 4})
	for i := range 10 {
		e := sample()
		e.Trace = uint32(i)
		o.Payment(e)
	}
	drain(o)
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != 5 || !strings.Contains(lines[4], `"dropped":6`) || !strings.Contains(lines[4], "events dropped") {
		t.Fatalf("want 4 events and a line about 6 dropped, got\n%s", log.String())
	}
	for i, l := range lines[:4] {
		if !strings.Contains(l, fmt.Sprintf(`"trace":%d,`, i)) {
			t.Errorf("line %d is not event %d: the oldest are kept", i, i)
		}
	}
	_, values := scrape(t, o)
	if values["tapswitch_observe_events_dropped_total{}"] != 6 || values["tapswitch_flow_payments_total{purchase,declined,pin_wrong}"] != 10 {
		t.Errorf("dropped %v, counted %v; the metrics must have all ten", values["tapswitch_observe_events_dropped_total{}"], values["tapswitch_flow_payments_total{purchase,declined,pin_wrong}"])
	}
}

// TestManyAtOnce: written and dropped together are all, whoever writes when.
func TestManyAtOnce(t *testing.T) {
	var log bytes.Buffer
	o := New(Options{Sets: sets(), Log: &log, Ring: 16})
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan struct{})
	go func() { o.Run(ctx); close(ran) }()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				o.Payment(sample())
			}
		})
	}
	wg.Wait()
	cancel()
	<-ran
	_, v := scrape(t, o)
	written, dropped := v["tapswitch_observe_events_written_total{}"], v["tapswitch_observe_events_dropped_total{}"]
	if written+dropped != 1600 || written == 0 {
		t.Errorf("written %v + dropped %v, want 1600", written, dropped)
	}
	if n := strings.Count(log.String(), `"msg":"payment"`); float64(n) != written {
		t.Errorf("%d lines, %v counted as written", n, written)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestBrokenLogIsCounted(t *testing.T) {
	o := New(Options{Sets: sets(), Log: brokenWriter{}})
	o.Payment(sample())
	drain(o)
	if _, v := scrape(t, o); v["tapswitch_observe_write_errors_total{}"] != 1 || v["tapswitch_observe_events_written_total{}"] != 0 {
		t.Errorf("write errors %v", v["tapswitch_observe_write_errors_total{}"])
	}
}

func TestRepeatedWarnings(t *testing.T) {
	var log bytes.Buffer
	h := newLimiter(newHandler(&log, slog.LevelInfo))
	began := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, after := range []time.Duration{0, time.Second, 9 * time.Second, 11 * time.Second} {
		if err := h.Handle(context.Background(), slog.NewRecord(began.Add(after), slog.LevelWarn, "link down", 0)); err != nil {
			t.Fatal(err)
		}
	}
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[1], `"held_back":2`) {
		t.Errorf("want two lines, the second with held_back 2:\n%s", log.String())
	}
	for i := range 10 * maxTexts {
		h.held.due(fmt.Sprint(i), began)
	}
	if n := len(h.held.texts); n > maxTexts {
		t.Errorf("%d texts remembered, at most %d", n, maxTexts)
	}
}

func TestReady(t *testing.T) {
	o := New(Options{Sets: sets(), Log: io.Discard})
	down := errors.New("token not present; card " + canary)
	var hsm error
	var spare error
	h := o.Handler([]Check{{Name: "journal", Ask: func() error { return nil }}, {Name: "hsm", Ask: func() error { return hsm }}, {Name: "spare", Ask: func() error { return spare }, Spare: true}})
	ask := func(method, path string) (int, string) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
		return w.Code, w.Body.String()
	}
	for _, c := range []struct {
		method, path string
		hsm          error
		status       int
		body         string
	}{
		{"GET", "/healthz", nil, 200, "ok\n"},
		{"GET", "/readyz", nil, 200, "journal: ok\nhsm: ok\nspare: ok\n"},
		{"GET", "/readyz", down, 503, "journal: ok\nhsm: not ready: token not present; card (digits)\nspare: ok\n"},
		{"GET", "/healthz", down, 200, "ok\n"},
		{"POST", "/readyz", nil, 405, "Method Not Allowed\n"},
		{"GET", "/debug/pprof/", nil, 404, "404 page not found\n"},
	} {
		hsm = c.hsm
		if status, body := ask(c.method, c.path); status != c.status || body != c.body {
			t.Errorf("%s %s: %d %q, want %d %q", c.method, c.path, status, body, c.status, c.body)
		}
	}
	hsm, spare = nil, down
	if status, body := ask("GET", "/readyz"); status != 200 || body != "journal: ok\nhsm: ok\nspare: degraded: token not present; card (digits)\n" {
		t.Errorf("with a spare that is down: %d %q", status, body)
	}
}

// TestServe answers on a real socket and stops when told.
func TestServe(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := New(Options{Sets: sets(), Log: io.Discard})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- o.Serve(ctx, ln, nil) }()
	answer, err := http.Get("http://" + ln.Addr().String() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil || !bytes.Contains(body, []byte("tapswitch_hsm_up 0")) {
		t.Errorf("metrics: %v %.80s", err, body)
	}
	answer.Body.Close()
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", ln.Addr().String()); err == nil {
		t.Error("still listening after the stop")
	}
	if err := o.Serve(context.Background(), ln, nil); err == nil {
		t.Error("serving on a closed listener must say so")
	}
}

// TestTwoInOneProcess: no registry is shared.
func TestTwoInOneProcess(t *testing.T) {
	a, b := New(Options{Sets: sets(), Log: io.Discard}), New(Options{Sets: sets(), Log: io.Discard})
	a.Payment(sample())
	if _, v := scrape(t, b); v["tapswitch_flow_payments_total{purchase,declined,pin_wrong}"] != 0 {
		t.Error("a payment of one switch was counted at the other")
	}
}

// TestPaymentDoesNotAllocate: the payment's goroutine pays for a copy only.
func TestPaymentDoesNotAllocate(t *testing.T) {
	o := New(Options{Sets: sets(), Log: io.Discard, Ring: 10})
	e := sample()
	if n := testing.AllocsPerRun(100, func() { o.Payment(e) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestEventIsJSON(t *testing.T) {
	var log bytes.Buffer
	o := New(Options{Sets: sets(), Log: &log})
	e := sample()
	e.Terminal, e.Code, e.Card = "1\"\n\x00é", "\x1b[", "card"
	o.Payment(e)
	drain(o)
	var line map[string]any
	if err := json.Unmarshal(log.Bytes(), &line); err != nil {
		t.Fatalf("%v: %s", err, log.String())
	}
	if line["terminal"] != `1"` || line["card"] != "(no pan)" || line["code"] != "[" {
		t.Errorf("%v", line)
	}
}

func BenchmarkPayment(b *testing.B) {
	o := New(Options{Sets: sets(), Log: io.Discard})
	e := sample()
	b.ReportAllocs()
	for b.Loop() {
		o.Payment(e)
	}
}

func BenchmarkEncode(b *testing.B) {
	o := New(Options{Sets: sets(), Log: io.Discard})
	e := sample()
	b.ReportAllocs()
	for b.Loop() {
		o.write(context.Background(), e)
	}
}
