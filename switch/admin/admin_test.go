// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tapswitch/internal/env"
	"tapswitch/internal/secret"
	"tapswitch/switch/txn"
)

const act = `{"v":1,"do":"hold","rrn":"632700000007","by":"ann","why":"host repairs its books"}`

// A request is read in its form alone; whatever else comes is refused.
func TestParseRequest(t *testing.T) {
	for line, fits := range map[string]bool{
		act:                   true,
		`{"v":1,"do":"list"}`: true,
		`{"v":1,"do":"list","link":"acq-a","limit":5}`:  true,
		` {"v":1,"do":"list"} ` + "\n":                  true,
		strings.Replace(act, "hold", "found_stands", 1): true,
		"":                                 false,
		"[]":                               false,
		"list":                             false,
		act + act:                          false,
		act + "x":                          false,
		`{"do":"list"}`:                    false,
		`{"v":2,"do":"list"}`:              false,
		`{"v":1,"do":""}`:                  false,
		`{"v":1,"do":"unknown"}`:           false,
		`{"v":1,"do":"list","limit":-1}`:   false,
		`{"v":1,"do":"list","limit":1001}`: false,
		`{"v":1,"do":"list","by":"ann"}`:   false,
		`{"v":1,"do":"list","more":1}`:     false,
		`{"v":1,"do":"list","link":"` + strings.Repeat("l", 65) + `"}`: false,
		strings.Replace(act, `"by":"ann",`, "", 1):                     false,
		strings.Replace(act, `host repairs its books`, "", 1):          false,
		strings.Replace(act, `632700000007`, "63270000000", 1):         false,
		strings.Replace(act, `632700000007`, "63270000000\u0000", 1):   false,
		strings.Replace(act, `ann`, `6224242300000069`, 1):             false,
		strings.Replace(act, `ann`, `a\nb`, 1):                         false,
		strings.Replace(act, `"v":1`, `"v":1,"limit":3`, 1):            false,
		act + strings.Repeat(" ", RequestMax):                          false,
	} {
		r, err := ParseRequest([]byte(line))
		if (err == nil) != fits {
			t.Errorf("%.80s: %+v, %v", line, r, err)
		}
	}
	r, err := ParseRequest([]byte(act))
	if err != nil || r.Act() != (txn.Act{What: txn.Hold, By: "ann", Why: "host repairs its books"}) || r.Of().String() != "632700000007" {
		t.Errorf("%+v, %v", r, err)
	}
}

// FuzzParseRequest: no bytes make it panic, what it takes it would take again, and
// an act that it takes fits its record.
func FuzzParseRequest(f *testing.F) {
	for _, s := range []string{act, `{"v":1,"do":"list","link":"acq-a","limit":5}`, settled, `{"v":1,"do":"drop","rrn":"632700000007","by":"\u0061","why":"\ud800"}`, "{", "null"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		r, err := ParseRequest(line)
		if err != nil {
			return
		}
		again, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if s, err := ParseRequest(again); err != nil || s != r {
			t.Errorf("%+v becomes %+v, %v", r, s, err)
		}
		if r.Do != List && (r.Act().Check() != nil || len(r.Of().String()) != 12 && (r.Act().What != txn.Settled || r.Upload.check() != nil)) {
			t.Errorf("%+v was taken", r)
		}
	})
}

// counter is a desk that does nothing but remember.
type counter struct {
	mu     sync.Mutex
	acts   []txn.Act
	of     []txn.RRN
	err    error
	gate   chan struct{}
	inside int
	list   []Item
	most   int
}

// List implements Desk.
func (d *counter) List(_ string, most int) ([]Item, int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.most = most
	return d.list, 3, d.err
}

// Act implements Desk.
func (d *counter) Act(of txn.RRN, a txn.Act, _ env.Mono) (Item, error) {
	d.mu.Lock()
	d.acts, d.of = append(d.acts, a), append(d.of, of)
	d.inside++
	gate := d.gate
	d.mu.Unlock()
	if gate != nil {
		<-gate
	}
	return Item{RRN: of.String(), State: "reversing"}, d.err
}

// CloseUpload implements Desk.
func (d *counter) CloseUpload(of Upload, a txn.Act) ([]Case, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.acts, d.of = append(d.acts, a), append(d.of, txn.RRN{})
	return []Case{{Upload: of, Why: "upload_count_differs"}}, d.err
}

func (d *counter) seen() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.inside
}

// serve starts a server of d and gives its socket.
func serve(t *testing.T, d Desk) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := env.Real().Net.Listen("unix:" + path)
	if err != nil {
		t.Fatal(err)
	}
	s := NewServer(l, d, env.Real())
	ran := make(chan struct{})
	go func() { defer close(ran); s.Run() }()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		<-ran
	})
	return path
}

// What is asked comes to the desk with the switch's time, and its answer back;
// what the desk refuses is a refusal with its word.
func TestAsk(t *testing.T) {
	d := &counter{list: []Item{{RRN: "632700000007"}}}
	socket := serve(t, d)
	ask := func(r Request) (Reply, error) { return Ask(context.Background(), env.Real(), socket, r) }
	reply, err := ask(Request{Do: List})
	if err != nil || len(reply.Items) != 1 || reply.Items[0].RRN != "632700000007" || reply.More != 3 || d.most != ListMax {
		t.Errorf("%+v, %v, limit %d", reply, err, d.most)
	}
	if _, err = ask(Request{Do: List, Limit: 7}); err != nil || d.most != 7 {
		t.Errorf("%v, limit %d", err, d.most)
	}
	hold := Request{Do: "hold", RRN: "632700000007", By: "ann", Why: "why not"}
	reply, err = ask(hold)
	if err != nil || reply.Item == nil || reply.Item.State != "reversing" || len(d.acts) != 1 || d.of[0].String() != "632700000007" {
		t.Fatalf("%+v, %v, %+v", reply, err, d.acts)
	}
	if a := d.acts[0]; a.What != txn.Hold || a.By != "ann" || a.Why != "why not" || time.Since(a.At) > time.Minute {
		t.Errorf("%+v", a)
	}
	d.err = &Refusal{Word: BeingSent, Text: "it is being sent"}
	var no *Refusal
	if _, err = ask(hold); !errors.As(err, &no) || no.Word != BeingSent || no.Error() != "it is being sent" {
		t.Errorf("%v", err)
	}
	d.err = errors.New("the disk is gone")
	if _, err = ask(hold); !errors.As(err, &no) || no.Word != Failed {
		t.Errorf("%v", err)
	}
	before := d.seen()
	if _, err = ask(Request{Do: "hold", RRN: "632700000007", By: "ann"}); err == nil || d.seen() != before {
		t.Errorf("an act without a reason: %v", err)
	}
}

// What nobody serves, and what is no socket, is named.
func TestAskWithoutASwitch(t *testing.T) {
	dir := t.TempDir()
	for path, want := range map[string]string{filepath.Join(dir, "absent"): "not running", dir: "correct admin.socket"} {
		if _, err := Ask(context.Background(), env.Real(), path, Request{Do: List}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	for err, want := range map[error]string{env.ErrForeign: "as the user that the switch runs as", env.ErrTooLong: "correct admin.socket", io.ErrUnexpectedEOF: "cannot be asked"} {
		if got := explain(err); !errors.Is(got, err) || !strings.Contains(got.Error(), want) {
			t.Errorf("%v", got)
		}
	}
}

// raw sends bytes and gives what comes back.
func raw(t *testing.T, socket string, out []byte) string {
	t.Helper()
	c, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.Write(out) // a server that has enough of it closes
	c.(*net.UnixConn).CloseWrite()
	b, err := io.ReadAll(c)
	if err != nil {
		t.Errorf("%.40q: %v", out, err)
	}
	return string(b)
}

// Nonsense is refused by name, reaches no desk, and the next is served.
func TestNonsense(t *testing.T) {
	d := &counter{}
	socket := serve(t, d)
	for _, out := range [][]byte{nil, []byte("\n"), []byte("GET / HTTP/1.1\r\n\r\n"), bytes.Repeat([]byte{0}, RequestMax), bytes.Repeat([]byte("x"), 100_000), []byte(act), []byte(act + act + "\n"),
		bytes.Repeat([]byte("["), 1_000_000), {0xff, 0xfe, '\n'}} {
		if got := raw(t, socket, out); !strings.Contains(got, `"error":"bad_request"`) || !strings.HasSuffix(got, "\n") {
			t.Errorf("%.40q: %q", out, got)
		}
	}
	if d.seen() != 0 {
		t.Errorf("%d acts", d.seen())
	}
	if got := raw(t, socket, []byte(act+"\n")); !strings.Contains(got, `"state":"reversing"`) || d.seen() != 1 {
		t.Errorf("%q", got)
	}
}

// So many are served at the same time, one more is told so; a stop waits for those
// that are being carried out, and then nobody answers.
func TestCrowdAndStop(t *testing.T) {
	d := &counter{gate: make(chan struct{})}
	path := filepath.Join(t.TempDir(), "s")
	l, err := env.Real().Net.Listen("unix:" + path)
	if err != nil {
		t.Fatal(err)
	}
	s := NewServer(l, d, env.Real())
	go s.Run()
	var asked sync.WaitGroup
	for range servedMax {
		asked.Go(func() {
			if got := raw(t, path, []byte(act+"\n")); !strings.Contains(got, `"state":"reversing"`) {
				t.Errorf("%q", got)
			}
		})
	}
	for d.seen() < servedMax {
		time.Sleep(time.Millisecond)
	}
	if got := raw(t, path, []byte(act+"\n")); !strings.Contains(got, `"error":"busy"`) {
		t.Errorf("%q", got)
	}
	closed := make(chan error)
	go func() { closed <- s.Close() }()
	select {
	case <-closed:
		t.Error("the stop did not wait")
	case <-time.After(20 * time.Millisecond):
	}
	close(d.gate)
	if err := <-closed; err != nil {
		t.Error(err)
	}
	asked.Wait()
	if _, err := Ask(context.Background(), env.Real(), path, Request{Do: List}); !errors.Is(err, env.ErrUnserved) {
		t.Errorf("after the stop: %v", err)
	}
}

// An item shows no more of a card than is masked, and why it is held.
func TestItem(t *testing.T) {
	at := time.Date(2026, 11, 29, 3, 12, 0, 0, time.UTC)
	p := txn.Payment{Masked: secret.PAN{}.String(), SealedPAN: []byte("sealed"), Held: &txn.Act{What: txn.Hold, By: "ann", Why: "why not", At: at}, State: txn.Reversing}
	b, err := json.Marshal(NewItem(&p))
	if err != nil || bytes.Contains(b, []byte("sealed")) || !bytes.Contains(b, []byte(`"held_by":"ann","held_why":"why not","held_since":"2026-11-29T03:12:00Z"`)) {
		t.Errorf("%s, %v", b, err)
	}
}
