// SPDX-License-Identifier: Apache-2.0

package reader

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"tapswitch/simulators/card"
)

// Config says where the reader stands and what is in the deck.
type Config struct {
	Link         string         // path at which the pty's slave appears
	Deck         []card.Profile // what Present may present; card.Deck when empty
	DeckFile     string         // read into Deck by RunLines, and by Start when Deck is empty
	CountersFile string         // transaction counters; beside DeckFile when empty; in memory without either
	ChunkBytes   int            // 262: bytes of a card's answer in one frame
	LateAnswer   time.Duration  // 5s: how late the fault Late is
	LookTime     time.Duration  // 10ms: how long a look for a card takes
}

// ErrNoCard says that the deck has no card of that name.
var ErrNoCard = errors.New("reader: no such card in the deck")

// defaultChunk is what the chip can hold of a card's answer.
const defaultChunk = 262

// Reader is one simulated reader.
type Reader struct {
	cfg    Config
	master *os.File
	slave  *os.File // held so that the terminal's exclusive mark can be taken off
	done   chan struct{}

	mu    sync.Mutex
	cards map[string]*card.Card
	names []string
	chip  chip
	fault Fault
	apdus int // data exchanges the chip was asked for
}

// Start opens the pty, puts the link to it and begins to serve.
func Start(cfg Config) (*Reader, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	r := &Reader{cfg: cfg, done: make(chan struct{}), cards: map[string]*card.Card{}}
	r.chip.chunk = cfg.ChunkBytes
	counters, err := card.OpenCounters(cfg.CountersFile)
	if err != nil {
		return nil, err
	}
	for _, p := range cfg.Deck {
		c, err := card.New(p, counters)
		if err != nil {
			return nil, err
		}
		r.cards[p.Name] = c
		r.names = append(r.names, p.Name)
	}
	if r.master, r.slave, err = openPTY(); err != nil {
		return nil, err
	}
	if err := putLink(cfg.Link, r.slave.Name()); err != nil {
		r.master.Close()
		r.slave.Close()
		return nil, err
	}
	go r.serve()
	return r, nil
}

func (c *Config) complete() (err error) {
	if c.Link == "" {
		return errors.New("reader: no path for the link is given")
	}
	if len(c.Deck) == 0 && c.DeckFile != "" {
		if c.Deck, err = card.LoadDeck(c.DeckFile); err != nil {
			return err
		}
	}
	if len(c.Deck) == 0 {
		if c.Deck, err = card.Deck(); err != nil {
			return err
		}
	}
	if c.CountersFile == "" && c.DeckFile != "" {
		c.CountersFile = c.DeckFile + ".counters"
	}
	if c.ChunkBytes <= 0 || c.ChunkBytes > defaultChunk {
		c.ChunkBytes = defaultChunk
	}
	if c.LateAnswer == 0 {
		c.LateAnswer = 5 * time.Second
	}
	if c.LookTime == 0 {
		c.LookTime = 10 * time.Millisecond
	}
	return nil
}

// openPTY opens a pty in raw mode.
func openPTY() (master, slave *os.File, err error) {
	blocking, slave, err := pty.Open()
	if err != nil {
		return nil, nil, fmt.Errorf("reader: open a pty: %w", err)
	}
	defer blocking.Close()
	if err := makeRaw(int(slave.Fd())); err != nil {
		slave.Close()
		return nil, nil, fmt.Errorf("reader: set the pty raw: %w", err)
	}
	// The library leaves the master blocking; a Read of it could not be ended.
	fd, err := unix.FcntlInt(blocking.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		slave.Close()
		return nil, nil, fmt.Errorf("reader: duplicate the pty: %w", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		slave.Close()
		_ = unix.Close(fd)
		return nil, nil, fmt.Errorf("reader: set the pty non-blocking: %w", err)
	}
	return os.NewFile(uintptr(fd), "ptmx"), slave, nil
}

// share takes the exclusive mark off the line. A real line loses it with its
// last user; this one would keep the mark of a terminal that was killed.
func (r *Reader) share() { _ = unix.IoctlSetInt(int(r.slave.Fd()), unix.TIOCNXCL, 0) }

func makeRaw(fd int) error {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return err
	}
	t.Iflag, t.Oflag, t.Lflag = 0, 0, 0
	t.Cflag = t.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	return unix.IoctlSetTermios(fd, unix.TCSETS, t)
}

// putLink replaces a link of an earlier run, never a file of somebody else's.
func putLink(link, target string) error {
	if info, err := os.Lstat(link); err == nil {
		if info.Mode()&os.ModeSymlink == 0 {
			return fmt.Errorf("reader: %s exists and is no link: choose another path", link)
		}
		if err := os.Remove(link); err != nil {
			return fmt.Errorf("reader: replace the link: %w", err)
		}
	}
	if err := os.Symlink(target, link); err != nil {
		return fmt.Errorf("reader: put the link: %w", err)
	}
	return nil
}

// Present puts the card of that name in the field, in place of any other.
func (r *Reader) Present(name string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	c, ok := r.cards[name]
	if !ok {
		return fmt.Errorf("%w: %q: the deck has %q", ErrNoCard, name, r.names)
	}
	r.chip.present(c)
	return nil
}

// Remove takes the card away.
func (r *Reader) Remove() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.chip.present(nil)
}

// Break sets a fault.
func (r *Reader) Break(f Fault) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fault = f
	r.chip.second = f == TwoCard
}

// Exchanges is how many data exchanges the chip was asked for.
func (r *Reader) Exchanges() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.apdus
}

// Cards lists the deck's names in their order.
func (r *Reader) Cards() []string { return append([]string(nil), r.names...) }

// Close ends the reader as pulling its plug does, and removes the link.
func (r *Reader) Close() error {
	err := r.master.Close()
	<-r.done
	err = errors.Join(err, r.slave.Close())
	if target, readErr := os.Readlink(r.cfg.Link); readErr == nil && target == r.slave.Name() {
		err = errors.Join(err, os.Remove(r.cfg.Link))
	}
	return err
}

// serve reads the line until the master is closed.
func (r *Reader) serve() {
	defer close(r.done)
	line := line{r: r}
	var buf [512]byte
	for {
		n, err := r.master.Read(buf[:])
		if err != nil {
			return
		}
		r.share()
		line.take(buf[:n])
	}
}
