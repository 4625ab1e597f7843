// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// crashMoods are how the acquirers behave, one drawn after the other.
func crashMoods() []string {
	return []string{"normal", "normal", "normal", "silent once", "silent-before once", "late 700ms once", "late 50ms once",
		"bad-mac once", "wrong-amount once", "duplicate once", "garbage once", "hangup once", "partial once", "partial once"}
}

// weather puts the acquirers into moods until the load ends, and now and then
// kills one, which is there again a moment later with the same books.
func (c *crash) weather(ctx context.Context, chance *rand.Rand) {
	moods := crashMoods()
	for {
		for _, name := range []string{linkA, linkB} {
			var err error
			if chance.IntN(20) == 0 {
				err = c.killHost(ctx, name, time.Duration(20+chance.IntN(300))*time.Millisecond)
			} else {
				err = c.hosts[name].say("mood " + moods[chance.IntN(len(moods))])
			}
			if err != nil {
				c.storm.Store(&fall{fmt.Errorf("acquirer %s: %w", name, err)})
				return
			}
		}
		select {
		case <-c.quit:
			return
		case <-ctx.Done():
			return
		case <-time.After(time.Duration(100+chance.IntN(300)) * time.Millisecond):
		}
	}
}

// killHost kills an acquirer and starts it again after a pause.
func (c *crash) killHost(ctx context.Context, name string, pause time.Duration) error {
	host := c.hosts[name]
	if err := host.cmd.Process.Kill(); err != nil {
		return err
	}
	<-host.done
	m, err := markBooks(name, c.path(name+".books.jsonl"))
	if err != nil {
		return err
	}
	c.marks = append(c.marks, m)
	return errors.Join(sleep(ctx, pause), c.startHost(ctx, name))
}

// startHost starts an acquirer on the books it has.
func (c *crash) startHost(ctx context.Context, name string) (err error) {
	if c.hosts[name], err = start(c.Dir, name, "", "simulate", "acquirer", "--config", name+".yaml"); err != nil {
		return err
	}
	_, err = c.hosts[name].await(ctx, partPatience, "ready", named("ready"))
	return err
}

// booksKept says whether all that stood in the acquirers' books at their deaths
// stands there still.
func (c *crash) booksKept() (err error) {
	for _, m := range c.marks {
		err = errors.Join(err, m.kept(c.path(m.link+".books.jsonl")))
	}
	return err
}
