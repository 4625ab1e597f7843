// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// troupe is all parts of a demonstration, running.
type troupe struct {
	stage    stage
	hosts    map[string]*part
	serve    *part
	reader   *part
	terminal *part
}

// raise starts the parts from the outside in: acquirers, switch, reader, terminal.
func raise(ctx context.Context, s stage) (*troupe, error) {
	t := &troupe{stage: s, hosts: map[string]*part{}}
	for _, name := range []string{linkA, linkB} {
		p, err := start(s.Dir, name, "", "simulate", "acquirer", "--config", name+".yaml")
		if err != nil {
			return t, err
		}
		t.hosts[name] = p
		if _, err := p.await(ctx, partPatience, "ready", named("ready")); err != nil {
			return t, err
		}
	}
	var err error
	if t.serve, err = start(s.Dir, "switch", "switch.log", "serve", "--config", "switch.yaml"); err != nil {
		return t, err
	}
	if err := t.awaitReady(ctx, partPatience); err != nil {
		return t, err
	}
	if t.reader, err = start(s.Dir, "reader", "", "simulate", "reader", "--link", "nfc", "--deck", "deck.json"); err != nil {
		return t, err
	}
	if _, err := t.reader.await(ctx, partPatience, "ready", named("ready")); err != nil {
		return t, err
	}
	if t.terminal, err = start(s.Dir, "terminal", "", "terminal", "--config", "terminal.yaml", "--json"); err != nil {
		return t, err
	}
	_, err = t.terminal.await(ctx, partPatience, "sign-on", named("signed_on"))
	return t, err
}

// awaitReady polls /readyz until both links are signed on.
func (t *troupe) awaitReady(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+t.stage.Observe+"/readyz", nil)
		if err != nil {
			return err
		}
		if resp, err := http.DefaultClient.Do(req); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-t.serve.done:
			return fmt.Errorf("the switch %w (%v): %s", errPartEnded, t.serve.err, t.serve.tail.String())
		case <-ctx.Done():
			return fmt.Errorf("the switch is not ready after %s, see http://%s/readyz: %w", limit, t.stage.Observe, ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// strike stops the parts from the inside out.
func (t *troupe) strike() {
	t.terminal.stop(3 * time.Second)
	t.reader.stop(3 * time.Second)
	t.serve.stop(10 * time.Second)
	for _, name := range []string{linkA, linkB} {
		t.hosts[name].stop(3 * time.Second)
	}
}

// seen is what all parts said of one tap.
type seen struct {
	terminal event // the terminal's result
	payment  event // the switch's event, nil when the payment never reached it
	host     event // the acquirer's, nil when it never got there
	reversal event // the acquirer's message of the reversal, when one was expected
	pinAsked bool
	err      error // the tap could not be carried out
}

// partPatience is how long a part may take for what it does in milliseconds when
// the machine is not busy with other things.
const partPatience = 15 * time.Second

// forget drops what the parts said of earlier taps.
func (t *troupe) forget() {
	for _, host := range t.hosts {
		host.forget()
	}
	t.serve.forget()
	t.reader.forget()
	t.terminal.forget()
}

// play carries out one tap.
func (t *troupe) play(ctx context.Context, p tap) (s seen) {
	t.forget()
	if p.Mood != "" {
		if s.err = t.mood(ctx, p); s.err != nil {
			return s
		}
	}
	if s.err = t.reader.say("present " + p.Card); s.err != nil {
		return s
	}
	defer t.reader.say("remove")
	if _, s.err = t.reader.await(ctx, partPatience, "card", named("presented")); s.err != nil {
		return s
	}
	if s.err = t.terminal.say(fmt.Sprintf("sale %d", p.Amount)); s.err != nil {
		return s
	}
	for s.terminal == nil {
		e, err := t.terminal.await(ctx, 30*time.Second, "result", named("enter_pin", "result", "error"))
		if err != nil {
			s.err = err
			return s
		}
		if e.text("event") != "enter_pin" {
			s.terminal = e
			continue
		}
		s.pinAsked = true
		typed := "pin " + p.PIN
		if p.PIN == "" {
			typed = "cancel"
		}
		if s.err = t.terminal.say(typed); s.err != nil {
			return s
		}
	}
	t.gather(ctx, p, &s)
	return s
}

func (t *troupe) mood(ctx context.Context, p tap) error {
	host := t.hosts[p.Host]
	if err := host.say("mood " + p.Mood); err != nil {
		return err
	}
	_, err := host.await(ctx, partPatience, "mood", named("mood"))
	return err
}

// gather finds what switch and acquirer said of the tap.
func (t *troupe) gather(ctx context.Context, p tap, s *seen) {
	trace := s.terminal.int("trace")
	if trace == 0 {
		return // it never left the terminal
	}
	s.payment, s.err = t.serve.await(ctx, partPatience, "payment event", func(e event) bool {
		return e.text("class") == "purchase" && e.int("trace") == trace
	})
	if s.err != nil {
		return
	}
	stan := s.payment.int("stan")
	host := t.hosts[s.payment.text("link")]
	if host == nil || stan == 0 {
		return
	}
	s.host, s.err = host.await(ctx, partPatience, "message", func(e event) bool {
		return e.message().text("mti") == "0200" && e.message().int("stan") == stan
	})
	if s.err == nil && p.Expect.Reversal {
		s.reversal, s.err = host.await(ctx, 2*partPatience, "reversal", func(e event) bool {
			m := e.message()
			return m.text("effect") == "credit" && (m.text("mti") == "0400" || m.text("mti") == "0401") && m.text("rrn") == s.payment.text("rrn")
		})
		s.reversal = s.reversal.message()
	}
	if s.err == nil && p.Expect.Reversal { // and that the switch has heard of it
		_, s.err = t.serve.await(ctx, partPatience, "acknowledged reversal", func(e event) bool {
			return e.text("msg") == "reversal" && e.text("end") == "acknowledged" && e.int("original") == stan
		})
	}
	s.host = s.host.message()
}
