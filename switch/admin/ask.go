// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"tapswitch/internal/env"
)

// askTime is the longest that a request may take; the port's own bounds are
// shorter.
const askTime = 30 * time.Second

// Ask asks the switch that serves a socket. What the switch refuses is a *Refusal;
// every other error says that it was not reached, or that its answer did not come.
func Ask(ctx context.Context, world env.Env, socket string, r Request) (Reply, error) {
	r.Version = Version
	if err := r.check(); err != nil {
		return Reply{}, err
	}
	line, err := json.Marshal(r)
	if err != nil {
		return Reply{}, err
	}
	c, err := world.Net.Dial(ctx, "unix:"+socket)
	if err != nil {
		return Reply{}, explain(err)
	}
	defer c.Close()
	if err := c.SetDeadline(world.Clock.Now().Add(askTime)); err != nil {
		return Reply{}, err
	}
	if _, err := c.Write(append(line, '\n')); err != nil {
		return Reply{}, fmt.Errorf("the switch took no request: %w", err)
	}
	answer, err := io.ReadAll(io.LimitReader(c, replyMax))
	if err != nil {
		return Reply{}, fmt.Errorf("no answer of the switch came; the journal tells whether it was done: %w", err)
	}
	var reply Reply
	if err := json.Unmarshal(answer, &reply); err != nil {
		return Reply{}, errors.New("the switch ended before its whole answer was here; the journal tells whether it was done")
	}
	switch {
	case reply.Error != "":
		return reply, &Refusal{Word: reply.Error, Text: reply.Text}
	case reply.Version != Version:
		return reply, fmt.Errorf("the switch answers in version %d, this command reads version %d: use the command of the same version", reply.Version, Version)
	}
	return reply, nil
}

// explain says what to do about a socket that is not to be used.
func explain(err error) error {
	switch {
	case errors.Is(err, env.ErrUnserved):
		return fmt.Errorf("the switch is not running: %w; start it, or name the configuration it runs with", err)
	case errors.Is(err, env.ErrForeign):
		return fmt.Errorf("not asked: %w; run this command as the user that the switch runs as", err)
	case errors.Is(err, env.ErrNoSocket), errors.Is(err, env.ErrTooLong):
		return fmt.Errorf("not asked: %w; correct admin.socket", err)
	}
	return fmt.Errorf("the switch cannot be asked: %w", err)
}
