// SPDX-License-Identifier: Apache-2.0

package reader_test

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"tapswitch/simulators/card"
	sim "tapswitch/simulators/reader"
	"tapswitch/terminal/pn532"
	"tapswitch/terminal/reader"
)

// bench is a reader in front of a simulated one.
func bench(t *testing.T, change ...func(*sim.Config, *reader.Config)) (*reader.Reader, *sim.Reader) {
	t.Helper()
	link := filepath.Join(t.TempDir(), "reader")
	simCfg := sim.Config{Link: link, LateAnswer: 600 * time.Millisecond, LookTime: time.Millisecond}
	cfg := reader.Config{
		Port: link, ACKTimeout: 200 * time.Millisecond, AnswerTimeout: 2 * time.Second, CardTimeout: 2 * time.Second,
		PollPause: 5 * time.Millisecond, ByteGap: 50 * time.Millisecond,
	}
	for _, c := range change {
		c(&simCfg, &cfg)
	}
	s, err := sim.Start(simCfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	r, err := reader.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r, s
}

func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

var (
	selectPPSE = append(append([]byte{0, 0xA4, 4, 0, 14}, "2PAY.SYS.DDF01"...), 0)
	selectVisa = []byte{0, 0xA4, 4, 0, 7, 0xA0, 0, 0, 0, 3, 0x10, 0x10, 0}
)

func present(t *testing.T, r *reader.Reader, s *sim.Reader, name string) reader.Card {
	t.Helper()
	if err := s.Present(name); err != nil {
		t.Fatal(err)
	}
	target, c, err := r.Poll(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	if !target.ISODEP || target.Number != 1 || !bytes.Equal(target.ID, []byte{8, 0x5E, 0x1F, 1}) {
		t.Errorf("target %+v", target)
	}
	return c
}

func ask(t *testing.T, c reader.Card, apdu []byte) {
	t.Helper()
	answer, err := c.Transceive(soon(t), apdu)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasSuffix(answer, []byte{0x90, 0x00}) {
		t.Fatalf("answer %X", answer)
	}
}

func TestACardComes(t *testing.T) {
	r, s := bench(t)
	if got := r.Firmware(); got.IC != 0x32 {
		t.Errorf("firmware %v", got)
	}
	time.AfterFunc(100*time.Millisecond, func() { _ = s.Present("visa") })
	_, c, err := r.Poll(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	ask(t, c, selectPPSE)
	ask(t, c, selectVisa)
	if err := r.Release(soon(t)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Transceive(soon(t), selectPPSE); !errors.Is(err, reader.ErrNoTarget) {
		t.Errorf("after Release: %v", err)
	}
}

func TestPollEndsWithItsContext(t *testing.T) {
	r, _ := bench(t)
	ctx, cancel := context.WithTimeout(t.Context(), 80*time.Millisecond)
	defer cancel()
	if _, _, err := r.Poll(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestLineFaultsAreOvercome(t *testing.T) {
	r, s := bench(t)
	for _, fault := range []sim.Fault{sim.NoACK, sim.Corrupt, sim.Cut, sim.Noise} {
		c := present(t, r, s, "visa")
		before := s.Exchanges()
		s.Break(fault)
		ask(t, c, selectPPSE)
		if n := s.Exchanges() - before; n != 1 {
			t.Errorf("%s: the card saw the command %d times", fault, n)
		}
	}
	// A command to the chip itself is repeated when nobody acknowledges it.
	for _, fault := range []sim.Fault{sim.NoACK, sim.Deaf, sim.Corrupt, sim.Cut} {
		s.Break(fault)
		ask(t, present(t, r, s, "visa"), selectPPSE)
	}
}

func TestACommandToTheCardIsNeverSentTwice(t *testing.T) {
	r, s := bench(t, func(_ *sim.Config, c *reader.Config) { c.CardTimeout = 100 * time.Millisecond })
	c := present(t, r, s, "visa")
	s.Break(sim.Deaf)
	if _, err := c.Transceive(soon(t), selectPPSE); !errors.Is(err, reader.ErrChip) || !errors.Is(err, pn532.ErrNoACK) {
		t.Errorf("got %v", err)
	}
	if n := s.Exchanges(); n != 0 {
		t.Errorf("the command was sent again, %d exchanges", n)
	}
	if _, err := c.Transceive(soon(t), selectPPSE); !errors.Is(err, reader.ErrChip) {
		t.Errorf("the card is used after a fault: %v", err)
	}
	ask(t, present(t, r, s, "visa"), selectPPSE)
}

func TestALateAnswerReachesNobody(t *testing.T) {
	r, s := bench(t, func(_ *sim.Config, c *reader.Config) { c.CardTimeout = 300 * time.Millisecond })
	c := present(t, r, s, "visa")
	s.Break(sim.Late)
	if _, err := c.Transceive(soon(t), selectPPSE); !errors.Is(err, reader.ErrChip) || !errors.Is(err, pn532.ErrNoAnswer) {
		t.Errorf("got %v", err)
	}
	c = present(t, r, s, "unionpay")
	time.Sleep(500 * time.Millisecond) // the late answer is on the line now
	answer, err := c.Transceive(soon(t), selectVisa)
	if err != nil || !bytes.Equal(answer, []byte{0x6A, 0x82}) {
		t.Errorf("got %X, %v: the answer of the card before", answer, err)
	}
}

func TestTwoCards(t *testing.T) {
	r, s := bench(t)
	if err := s.Present("visa"); err != nil {
		t.Fatal(err)
	}
	s.Break(sim.TwoCard)
	if _, _, err := r.Poll(soon(t)); !errors.Is(err, reader.ErrCollision) {
		t.Errorf("got %v", err)
	}
	s.Break(sim.NoFault)
	ask(t, present(t, r, s, "visa"), selectPPSE)
}

func TestTheCardLeaves(t *testing.T) {
	r, s := bench(t)
	c := present(t, r, s, "unionpay")
	ask(t, c, selectPPSE)
	s.Remove()
	for range 2 {
		if _, err := c.Transceive(soon(t), selectPPSE); !errors.Is(err, reader.ErrCardGone) {
			t.Errorf("got %v", err)
		}
	}
	ask(t, present(t, r, s, "visa"), selectPPSE)
}

func TestAnotherCardInItsPlace(t *testing.T) {
	r, s := bench(t)
	c := present(t, r, s, "unionpay")
	ask(t, c, selectPPSE)
	if err := s.Present("visa"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Transceive(soon(t), selectPPSE); !errors.Is(err, reader.ErrCardGone) {
		t.Errorf("the second card answers for the first: %v", err)
	}
}

// TestLongAnswers: an answer that fills an extended frame, and one in pieces;
// and a command in pieces.
func TestLongAnswers(t *testing.T) {
	for _, chunk := range []int{0, 20} {
		r, s := bench(t, func(c *sim.Config, rc *reader.Config) {
			deck, err := card.Deck()
			if err != nil {
				t.Fatal(err)
			}
			deck[0].Applications = nil
			for _, aid := range []string{"A0000003330101010000000000000001", "A0000003330101010000000000000002", "A0000003330101010000000000000003", "A0000003330101010000000000000004"} {
				deck[0].Applications = append(deck[0].Applications, card.Application{AID: aid, Label: "sixteen letters.", Priority: 1, Kernel: "07000000000000000000000000"})
			}
			c.Deck, c.ChunkBytes, rc.ChunkBytes = deck[:1], chunk, chunk
		})
		c := present(t, r, s, "unionpay")
		answer, err := c.Transceive(soon(t), selectPPSE)
		if err != nil || len(answer) < 254 || !bytes.HasSuffix(answer, []byte{0x90, 0}) {
			t.Errorf("chunk %d: %d bytes, %v", chunk, len(answer), err)
		}
	}
}

func TestTheReaderIsUnpluggedAndComesBack(t *testing.T) {
	r, s := bench(t)
	c := present(t, r, s, "visa")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Transceive(soon(t), selectPPSE); !errors.Is(err, reader.ErrReaderGone) {
		t.Errorf("in a tap: %v", err)
	}
	if _, _, err := r.Poll(soon(t)); !errors.Is(err, reader.ErrReaderGone) {
		t.Errorf("next poll: %v", err)
	}
}

func TestRecovery(t *testing.T) {
	link := filepath.Join(t.TempDir(), "reader")
	r := reader.New(reader.Config{Port: link, PollPause: 5 * time.Millisecond})
	defer r.Close()
	for range 2 {
		if _, _, err := r.Poll(soon(t)); !errors.Is(err, reader.ErrReaderGone) {
			t.Fatalf("no reader yet: %v", err)
		}
		s, err := sim.Start(sim.Config{Link: link})
		if err != nil {
			t.Fatal(err)
		}
		ask(t, present(t, r, s, "visa"), selectPPSE)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestUnpluggedWhilePolling(t *testing.T) {
	r, s := bench(t)
	time.AfterFunc(100*time.Millisecond, func() { s.Close() })
	if _, _, err := r.Poll(soon(t)); !errors.Is(err, reader.ErrReaderGone) {
		t.Errorf("got %v", err)
	}
}
