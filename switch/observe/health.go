// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"fmt"
	"net/http"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Check is one condition of being ready. Ask must answer at once: it reads a
// state, it does not go and find out. Its error is shown.
type Check struct {
	Name string // "journal", "hsm", "link acq-a"
	Ask  func() error
	// Spare is for what is told and takes no readiness away: others do its work.
	Spare bool
}

// maxScrapes bounds collections of metrics at the same time.
const maxScrapes = 4

// Handler serves /metrics, /healthz (the process runs) and /readyz (it can take
// payments: every check passes that is not of a spare; else 503 and which do not).
func (o *Observer) Handler(checks []Check) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(o.registry, promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapes}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		plain(w, http.StatusOK, "ok\n")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		status, text := Ready(checks)
		plain(w, status, text)
	})
	return mux
}

// Ready asks all checks: the status for /readyz and one line for each.
func Ready(checks []Check) (status int, text string) {
	status = http.StatusOK
	for _, c := range checks {
		said := "ok"
		if err := c.Ask(); err != nil && c.Spare {
			said = "degraded: " + err.Error()
		} else if err != nil {
			status, said = http.StatusServiceUnavailable, "not ready: "+err.Error()
		}
		text += fmt.Sprintf("%s: %s\n", c.Name, scrub(said))
	}
	return status, text
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	fmt.Fprint(w, text) // a client that went away needs no answer
}
