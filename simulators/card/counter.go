// SPDX-License-Identifier: Apache-2.0

package card

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// ErrWornOut says that a card's transaction counter is used up.
var ErrWornOut = errors.New("card: transaction counter is used up")

// Counters keeps the transaction counters of a deck, by plastic. With a path
// they are in a file and survive; without, in memory.
type Counters struct {
	path string

	mu  sync.Mutex
	atc map[string]uint16
}

// OpenCounters reads the counters; a file that does not exist begins at zero.
func OpenCounters(path string) (*Counters, error) {
	c := &Counters{path: path, atc: map[string]uint16{}}
	if path == "" {
		return c, nil
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return nil, fmt.Errorf("card: read the counters: %w", err)
	}
	if err := json.Unmarshal(b, &c.atc); err != nil {
		return nil, fmt.Errorf("card: counters %s: %w: remove the file to start anew", path, err)
	}
	return c, nil
}

// Next counts one transaction of the plastic. The new value is stored before it
// is returned: a card never uses a value twice.
func (c *Counters) Next(plastic string) (uint16, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.atc[plastic]
	if n == 0xFFFF {
		return 0, ErrWornOut
	}
	c.atc[plastic] = n + 1
	if err := c.store(); err != nil {
		return 0, err
	}
	return n + 1, nil
}

// Set puts a counter to a value, for tests and for cards with a past.
func (c *Counters) Set(plastic string, atc uint16) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.atc[plastic] = atc
	return c.store()
}

func (c *Counters) store() error {
	if c.path == "" {
		return nil
	}
	b, err := json.Marshal(c.atc)
	if err != nil {
		return fmt.Errorf("card: encode the counters: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(c.path), filepath.Base(c.path)+".*")
	if err != nil {
		return fmt.Errorf("card: store the counters: %w", err)
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), c.path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("card: store the counters: %w", err)
	}
	return nil
}
