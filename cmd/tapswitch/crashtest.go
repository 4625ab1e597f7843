// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"tapswitch/simulators/oracle"
	"tapswitch/terminal/host"
)

// Bounds of a crash test.
const (
	maxKills  = 10_000
	killLimit = 20 * time.Second // of one kill with its restart, on a slow machine
	restLimit = 3 * time.Minute  // of setting up, and of coming to rest
)

// crashOptions are the flags of the crash test.
type crashOptions struct {
	kills   int
	seed    uint64
	journal string // segment, postgres
	json    bool
	dir     string
}

// Where the journal of a crash test is.
const (
	inSegments = "segment"
	inPostgres = "postgres"
)

func (o crashOptions) check() error {
	switch {
	case o.kills < 1 || o.kills > maxKills:
		return usageError{fmt.Errorf("--kills %d: give a number from 1 to %d", o.kills, maxKills)}
	case o.journal != inSegments && o.journal != inPostgres:
		return usageError{fmt.Errorf("--journal %q: give %s or %s", o.journal, inSegments, inPostgres)}
	}
	return nil
}

func newCrashtestCommand() *cobra.Command {
	var o crashOptions
	c := &cobra.Command{
		Use:   "crashtest",
		Short: "Kill a switch under load again and again, and hold its promises to what is left",
		Long: "Start an HSM token, a switch, two acquirers and eight terminals on loopback, pay without pause, and\n" +
			"kill the switch with SIGKILL at moments drawn from the seed: under load, while it starts, while it\n" +
			"stops. The acquirers misbehave meanwhile and are killed too; the terminals lose power, repeat sales, also\n" +
			"altered, void and refund them, have amounts held, cancel and complete them, adjust, sell offline, settle their batches\n" +
			"and ask for balances. At the end all comes to rest, and the promises are held against\n" +
			"what terminals heard, acquirers booked and the journal has. Exit code 1 when one is broken, or when too little\n" +
			"was approved to prove anything; the last line is the verdict, with how many of each were played. The seed fixes what is done; when the machine does it, no seed can.\n" +
			"A kill leaves what was written to the operating system: power cuts are the simulated disk's business.\n\n" +
			"With --journal postgres a PostgreSQL server is made in a directory of its own, and killed too: one of its\n" +
			"processes, its first one, or all; now and then it stays away until the switch has given up.",
		Example: "  tapswitch crashtest --kills 50\n  tapswitch crashtest --kills 50 --seed 1 --json --dir /tmp/crash\n  tapswitch crashtest --kills 20 --journal postgres",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
				return err
			}
			return crashtest(c.Context(), o, c.OutOrStdout())
		},
	}
	c.Flags().IntVar(&o.kills, "kills", 50, "how often the switch is killed")
	c.Flags().Uint64Var(&o.seed, "seed", 1, "draws the moments of the kills, the payments and the acquirers' moods")
	c.Flags().StringVar(&o.journal, "journal", inSegments, "where the journal is: segment (files), or postgres (a server of its own; needs PostgreSQL on this machine)")
	c.Flags().BoolVar(&o.json, "json", false, "one JSON object a kill, and the verdict")
	c.Flags().StringVar(&o.dir, "dir", "", "keep logs, books, terminals' memories and journal in this folder, which must be empty or new")
	return c
}

func crashtest(ctx context.Context, o crashOptions, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, restLimit+time.Duration(o.kills)*killLimit)
	defer cancel()
	dir, remove, err := demoDir(o.dir)
	if err != nil {
		return err
	}
	defer remove()
	c, err := newCrash(ctx, dir, o)
	if err != nil {
		return err
	}
	defer c.strike()
	if err := c.play(ctx, func(k kill) error { return showKill(out, o.json, k) }); err != nil {
		return err
	}
	h, err := c.collect(ctx)
	if err != nil {
		return err
	}
	if err := c.booksKept(); err != nil {
		h.Unsound = append(h.Unsound, err.Error())
	}
	v := c.verdict(h)
	if err := showVerdict(out, o.json, v); err != nil {
		return err
	}
	switch v.Verdict {
	case crashBroken:
		return fmt.Errorf("%d findings, the first: %s", len(v.Broken), v.Broken[0])
	case crashIdle:
		return fmt.Errorf("no promise is broken, but %s: that proves little", v.Idle)
	}
	return nil
}

// kill is one death of the switch.
type kill struct {
	Kill     int    `json:"kill"`
	When     string `json:"when"`               // load, start, stop
	ReadyMS  int64  `json:"ready_ms,omitempty"` // from its start to its readiness; none when killed before
	AfterMS  int64  `json:"after_ms"`           // from the beginning of that moment to the kill
	Payments int    `json:"payments"`           // sent by terminals so far
	Approved int    `json:"approved"`           // of them
	Database string `json:"database,omitempty"` // what was killed of PostgreSQL in this life
}

// The verdicts.
const (
	crashKept   = "kept"
	crashBroken = "broken"
	crashIdle   = "idle" // nothing is broken, and hardly anything was paid
)

// What a run must have had of load to count as proof.
const (
	leastShare = 0.5 // of the payments sent while the switch was ready: approved
	leastEach  = 3   // approved payments for each kill
	allFlows   = 500 // from so many approved payments on: at least one of each flow, approved
)

// crashVerdict is the end of a crash test.
type crashVerdict struct {
	Verdict  string                    `json:"verdict"`
	Broken   []string                  `json:"broken"`
	Idle     string                    `json:"idle,omitempty"` // why this is no proof
	Kills    int                       `json:"kills"`
	When     map[string]int            `json:"when"`
	Payments int                       `json:"payments"`
	Ready    int                       `json:"payments_while_ready"` // of them, sent while the switch said that it was ready
	Share    float64                   `json:"approved_share"`       // of those
	Outcomes map[string]int            `json:"outcomes"`             // of payments at the terminals
	Flows    map[string]flow           `json:"flows"`                // by kind of message
	Told     map[string]map[string]int `json:"told"`                 // by kind of message, repeats, altered ones and those in a wrong form apart: by response code
	States   map[string]int            `json:"states"`               // in the journal
	Records  uint64                    `json:"records"`
	Recovery recovery                  `json:"recovery_ms"`
	Journal  string                    `json:"journal"`
	Database map[string]int            `json:"database_kills,omitempty"`
	GaveUp   int                       `json:"gave_up,omitempty"` // lives that ended by themselves, the database being gone
	Hosts    int                       `json:"acquirer_kills"`
	Scrapes  int                       `json:"scrapes"`       // of the counters, held against what terminals heard
	Mended   int                       `json:"tokens_mended"` // kills in the middle of SoftHSM's own writing
	Seed     uint64                    `json:"seed"`
	Seconds  float64                   `json:"seconds"`
}

// recovery is how long it took from a start to readiness, links signed on.
type recovery struct {
	Least  int64 `json:"least"`
	Median int64 `json:"median"`
	Most   int64 `json:"most"`
}

func newRecovery(ready []int64) recovery {
	if len(ready) == 0 {
		return recovery{}
	}
	sorted := slices.Sorted(slices.Values(ready))
	return recovery{Least: sorted[0], Median: sorted[len(sorted)/2], Most: sorted[len(sorted)-1]}
}

func (c *crash) verdict(h *collected) crashVerdict {
	v := crashVerdict{
		Verdict: crashKept, Broken: h.judge(), Kills: len(c.kills), When: map[string]int{}, States: h.states, Payments: len(h.sales), Records: h.records,
		Recovery: newRecovery(c.ready), Journal: inSegments, Hosts: len(c.marks), Mended: c.mended, Scrapes: len(c.scrapes), Seed: c.seed, Seconds: time.Since(c.began).Round(time.Millisecond).Seconds(),
	}
	for _, k := range c.kills {
		v.When[k.When]++
	}
	if c.database != nil {
		v.Journal, v.Database, v.GaveUp = inPostgres, c.database.hits, c.database.gaveUp
	}
	v.count(h)
	v.Idle = v.idle()
	switch {
	case len(v.Broken) > 0:
		v.Verdict = crashBroken
	case v.Idle != "":
		v.Verdict = crashIdle
	}
	return v
}

// count says what was asked and what came of it.
func (v *crashVerdict) count(h *collected) {
	v.Outcomes, v.Told, v.Flows = map[string]int{}, map[string]map[string]int{}, playedIn(h.Asks, h.lives)
	approved := 0
	for _, s := range h.sales {
		v.Outcomes[string(s.Outcome)]++
		if s.Ready {
			v.Ready++
			if s.Outcome == host.Approved {
				approved++
			}
		}
	}
	if v.Ready > 0 {
		v.Share = math.Round(1000*float64(approved)/float64(v.Ready)) / 1000
	}
	seen := map[oracle.Key]bool{}
	for _, a := range h.Asks {
		kind, code := string(a.Kind), a.Code
		switch {
		case a.Malformed:
			kind = "malformed"
		case a.Vain && a.Kind != oracle.Purchase:
			kind += "_in_vain"
		case a.Vain:
			kind = "altered"
		case a.Kind == oracle.Purchase && seen[a.Key]:
			kind = "repeat"
		}
		seen[a.Key] = true
		if code == "" {
			code = "nothing"
		}
		if v.Told[kind] == nil {
			v.Told[kind] = map[string]int{}
		}
		v.Told[kind][code]++
	}
}

// idle says why a run had too little load to prove anything; "" when it had enough.
func (v *crashVerdict) idle() string {
	switch approved := v.Outcomes[string(host.Approved)]; {
	case v.Share < leastShare:
		return fmt.Sprintf("of %d payments sent while the switch was ready, %.0f %% were approved, less than %.0f %%", v.Ready, 100*v.Share, 100*leastShare)
	case approved < leastEach*v.Kills:
		return fmt.Sprintf("%d payments were approved over %d kills, fewer than %d for each", approved, v.Kills, leastEach)
	case approved >= allFlows:
		for _, kind := range crashFlows() {
			if v.Flows[string(kind)].Approved == 0 {
				return fmt.Sprintf("no %s was approved beside %d payments", kind, approved)
			}
		}
	}
	return ""
}

func showKill(out io.Writer, asJSON bool, k kill) error {
	if asJSON {
		return json.NewEncoder(out).Encode(k)
	}
	ready := "not ready yet"
	if k.ReadyMS > 0 {
		ready = fmt.Sprintf("ready in %d ms", k.ReadyMS)
	}
	text := fmt.Sprintf("kill %4d  %-5s after %4d ms, %-18s  %6d payments, %6d approved", k.Kill, k.When, k.AfterMS, ready, k.Payments, k.Approved)
	if k.Database != "" {
		text += "  database: " + k.Database
	}
	_, err := fmt.Fprintln(out, text)
	return err
}

func showVerdict(out io.Writer, asJSON bool, v crashVerdict) error {
	if asJSON {
		return json.NewEncoder(out).Encode(v)
	}
	var err error
	for _, b := range v.Broken {
		_, failed := fmt.Fprintln(out, "broken:", b)
		err = errors.Join(err, failed)
	}
	if v.Database != nil {
		_, failed := fmt.Fprintf(out, "PostgreSQL was killed %d times %v; the switch gave up %d times\n", total(v.Database), v.Database, v.GaveUp)
		err = errors.Join(err, failed)
	}
	if v.Idle != "" {
		_, failed := fmt.Fprintln(out, "no proof:", v.Idle)
		err = errors.Join(err, failed)
	}
	for _, kind := range slices.Sorted(maps.Keys(v.Flows)) {
		_, failed := fmt.Fprintf(out, "%-24s %6d played, %6d approved, %4d sent again in a later life\n", kind, v.Flows[kind].Played, v.Flows[kind].Approved, v.Flows[kind].Again)
		err = errors.Join(err, failed)
	}
	_, failed := fmt.Fprintf(out, "%s: %d payments, %.0f %% approved while ready, over %d kills (%d under load, %d starting, %d stopping) and %d of acquirers; recovery %d to %d ms, half within %d; seed %d, %.1f s\n",
		v.Verdict, v.Payments, 100*v.Share, v.Kills, v.When[whenLoad], v.When[whenStart], v.When[whenStop], v.Hosts,
		v.Recovery.Least, v.Recovery.Most, v.Recovery.Median, v.Seed, v.Seconds)
	return errors.Join(err, failed)
}

// total adds up what was counted by kind.
func total(counted map[string]int) (n int) {
	for _, k := range counted {
		n += k
	}
	return n
}
