// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

// spaced turns host:port into what nc wants.
func spaced(address string) string { return strings.Replace(address, ":", " ", 1) }

// explain says how each part is started by its own command.
func (s stage) explain(out show) error {
	_, err := fmt.Fprintf(out.out, `Everything is in %s. Start each part in a window of its own, in this order:
  cd %s
  tapswitch simulate acquirer --config acq-a.yaml
  tapswitch simulate acquirer --config acq-b.yaml
  tapswitch serve --config switch.yaml
  tapswitch simulate reader --link nfc --deck deck.json
  tapswitch terminal --config terminal.yaml
Then type "present unionpay" to the reader and "sale 1234" to the terminal.
The switch answers http://%s/metrics, /healthz and /readyz.
`, s.Dir, s.Dir, s.Observe)
	return err
}

// metrics fetches /metrics as text.
func (t *troupe) metrics(ctx context.Context) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+t.stage.Observe+"/metrics", nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	return string(b), err
}

// keepMetrics leaves the metrics of before and after the run beside the logs.
func (t *troupe) keepMetrics(ctx context.Context, before string) error {
	after, err := t.metrics(ctx)
	if err != nil {
		return err
	}
	if err := os.WriteFile(t.stage.path("metrics.before"), []byte(before), 0o600); err != nil {
		return err
	}
	return os.WriteFile(t.stage.path("metrics.after"), []byte(after), 0o600)
}
