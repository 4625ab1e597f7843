// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// The moments at which a switch is killed.
const (
	whenLoad  = "load"
	whenStart = "start"
	whenStop  = "stop"
)

const (
	crashTills  = 8                      // terminals that pay
	lastStretch = 700 * time.Millisecond // of load in the life that is not killed
)

// crash is a crash test at work. What has chance in it draws from streams of
// its own, so that none changes what another does.
type crash struct {
	stage
	seed   uint64
	want   int // kills
	began  time.Time
	chance *rand.Rand // of kills

	hosts map[string]*part
	serve *part // the switch, nil between its lives
	shop  shop
	tills []*till
	books map[string]string    // what each host says of its own books at the end
	marks []mark               // the books at each death of a host
	storm atomic.Pointer[fall] // why a host did not go on

	token  tokenCopy
	mended int // times a kill had hurt the token

	database *database // nil: the journal is in segment files
	hit      *hit      // of the present life; nil: none

	births  []time.Duration // when each life of the switch began
	grown   time.Duration   // when the present one was ready
	scrapes []*scrape
	found   []string // by the probes

	kills []kill
	ready []int64 // milliseconds of each start that was not cut short

	quit   chan struct{} // closed when the load is to end
	loads  sync.WaitGroup
	ending sync.Once
}

// crashStream numbers the streams of chance.
func crashStream(seed, n uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, n)) }

// newCrash prepares a stage and starts all but the switch.
func newCrash(ctx context.Context, dir string, o crashOptions) (*crash, error) {
	s, err := prepare(ctx, dir)
	if err != nil {
		return nil, err
	}
	c := &crash{stage: s, seed: o.seed, want: o.kills, began: time.Now(), chance: crashStream(o.seed, 0), hosts: map[string]*part{},
		books: map[string]string{}, quit: make(chan struct{})}
	if o.journal == inPostgres {
		if c.database, err = newDatabase(crashStream(o.seed, 2000)); err != nil {
			return nil, err
		}
	}
	if err := c.furnish(ctx); err != nil {
		c.strike()
		return nil, err
	}
	return c, nil
}

// furnish writes what the run needs and starts what is there before the switch.
func (c *crash) furnish(ctx context.Context) (err error) {
	if err := c.edit(); err != nil {
		return err
	}
	if c.token, err = copyToken(c.path("token")); err != nil {
		return err
	}
	if c.shop, err = newShop(c.stage, c.began); err != nil {
		return err
	}
	for i := range crashTills {
		t, err := newTill(ctx, c.shop, i, crashStream(c.seed, uint64(1+i)))
		if err != nil {
			return errors.Join(err, c.closeTills())
		}
		c.tills = append(c.tills, t)
	}
	for _, name := range []string{linkA, linkB} {
		if err := c.startHost(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// tillID is the number of the i-th terminal; they share the first one's master key.
func tillID(i int) string { return fmt.Sprintf("1000%04d", i+1) }

// edit fits the demonstration's configuration: more terminals, shorter patience,
// so that every kind of end comes often.
func (c *crash) edit() error {
	b, err := os.ReadFile(c.path("switch.yaml"))
	if err != nil {
		return err
	}
	cash := ", cashback_minor: 5000, status: active}"
	one := fmt.Sprintf("  - {id: %q, merchant: %q, tmk: terminal/%s/tmk, status: active}\n", demoTerminal, demoMerchant, demoTerminal)
	var all strings.Builder
	for i := range crashTills {
		line := strings.Replace(one, ", status: active}", cash, 1)
		all.WriteString(strings.Replace(line, fmt.Sprintf("id: %q", demoTerminal), fmt.Sprintf("id: %q", tillID(i)), 1))
	}
	text := string(b)
	changes, err := c.database.edits(c.stage)
	if err != nil {
		return err
	}
	for _, e := range append(changes, [][2]string{
		{one, all.String()},
		{"timeout_ms: 2000", "timeout_ms: 500, connections: 2, cashback_minor: 5000, partial_approval: \"60=1\""}, // of the links: one that is cut leaves the other
		{"deadline_ms: 4000", fmt.Sprintf("deadline_ms: %d", crashDeadline.Milliseconds())},
		{"drain_ms: 5000", "drain_ms: 1500"},
		{"pin_tries: 3", "pin_tries: 10"},
		{"retry_ms: 500, max_retry_ms: 5000", "retry_ms: 100, max_retry_ms: 1000"},
	}...) {
		if !strings.Contains(text, e[0]) {
			return fmt.Errorf("crashtest: switch.yaml has no %q", e[0])
		}
		text = strings.ReplaceAll(text, e[0], e[1])
	}
	return os.WriteFile(c.path("switch.yaml"), []byte(text), 0o600)
}

// play is the whole test: load, kills, rest.
func (c *crash) play(ctx context.Context, tell func(kill) error) error {
	c.load(ctx)
	for lives := 0; len(c.kills) < c.want && lives < 3*c.want+10; lives++ {
		k, died, err := c.life(ctx)
		if err = errors.Join(err, c.fallen()); err != nil {
			return err
		}
		if !died {
			continue // it had stopped well before the blow
		}
		k.Kill = len(c.kills) + 1
		k.Payments, k.Approved = c.payments()
		c.kills = append(c.kills, k)
		if err := tell(k); err != nil {
			return err
		}
	}
	return c.rest(ctx)
}

// fallen names the terminals and hosts that do not go on.
func (c *crash) fallen() (err error) {
	if why := c.storm.Load(); why != nil {
		err = why.error
	}
	for _, t := range c.tills {
		err = errors.Join(err, t.fallen())
	}
	return err
}

// load starts the terminals' payments and the acquirers' moods.
func (c *crash) load(ctx context.Context) {
	for _, t := range c.tills {
		c.loads.Add(1)
		go func() {
			defer c.loads.Done()
			t.run(ctx, c.quit)
		}()
	}
	c.loads.Add(1)
	go func() {
		defer c.loads.Done()
		c.weather(ctx, crashStream(c.seed, 1000))
	}()
}

// life is one life of the switch, from its start to its kill. died is false when
// it ended by itself before the blow: as it was told to, or its database being gone.
func (c *crash) life(ctx context.Context) (k kill, died bool, err error) {
	k.When = []string{whenLoad, whenLoad, whenLoad, whenStart, whenStop}[c.chance.IntN(5)]
	if err := c.startSwitch(); err != nil {
		return k, false, err
	}
	c.hit = c.database.begin(c.serve, k.When, c.usual())
	died, err = c.lead(ctx, &k)
	k.Database, err = c.hit.end(ctx, err)
	return k, died, err
}

// lead takes the switch from its start to its kill.
func (c *crash) lead(ctx context.Context, k *kill) (died bool, err error) {
	began := time.Now()
	if k.When == whenStart {
		return c.blow(ctx, k, began, c.draw(c.usual()))
	}
	if err := (&troupe{stage: c.stage, serve: c.serve}).awaitReady(ctx, partPatience); err != nil {
		return false, err
	}
	k.ReadyMS = time.Since(began).Milliseconds()
	c.ready = append(c.ready, k.ReadyMS)
	c.grown = time.Since(c.began)
	c.shop.ready.Store(true)
	defer c.shop.ready.Store(false)
	at := time.Now()
	if k.When == whenLoad {
		return c.blow(ctx, k, at, 20*time.Millisecond+c.draw(time.Second))
	}
	if err := sleep(ctx, 100*time.Millisecond+c.draw(400*time.Millisecond)); err != nil {
		return false, err
	}
	at = time.Now()
	c.shop.ready.Store(false)
	if err := c.serve.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return false, fmt.Errorf("the switch: %w", err)
	}
	return c.blow(ctx, k, at, c.draw(300*time.Millisecond))
}

// startSwitch begins a life; the last one has ended.
func (c *crash) startSwitch() error {
	mended, err := c.token.mend()
	if err != nil {
		return err
	}
	if mended {
		c.mended++
	}
	c.births = append(c.births, time.Since(c.began))
	c.shop.life.Store(int64(len(c.births)))
	c.serve, err = start(c.Dir, "switch", "switch.log", "serve", "--config", "switch.yaml")
	return err
}

// draw is a time below most.
func (c *crash) draw(most time.Duration) time.Duration {
	return time.Duration(c.chance.Int64N(int64(most)))
}

// usual is about how long a start takes.
func (c *crash) usual() time.Duration {
	if len(c.ready) == 0 {
		return 500 * time.Millisecond
	}
	return time.Duration(newRecovery(c.ready).Median+1) * time.Millisecond
}

// blow kills the switch after a while. A switch that ended by itself has found
// something wrong, unless it was told to stop.
func (c *crash) blow(ctx context.Context, k *kill, since time.Time, after time.Duration) (died bool, err error) {
	select {
	case <-c.hit.moment(k.When, after):
	case <-ctx.Done():
		return false, ctx.Err()
	case <-c.serve.done:
		if k.When == whenStop && c.serve.err == nil {
			return false, nil
		}
		return false, fmt.Errorf("the switch %w (%v) before kill %d; its log is switch.log: %s", errPartEnded, c.serve.err, len(c.kills)+1, c.serve.tail.String())
	}
	if k.When == whenLoad {
		hasty, cancel := context.WithTimeout(ctx, time.Second)
		_, _ = c.count(hasty, false) // its database may be gone, or it may be ending
		cancel()
	}
	err = c.serve.cmd.Process.Kill()
	<-c.serve.done
	k.AfterMS = time.Since(since).Milliseconds()
	return !errors.Is(err, os.ErrProcessDone) && c.serve.err != nil, nil
}

// sleep waits, or gives up with ctx.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// rest brings all to an end: the load, the terminals' reversals, the switch's,
// and then every process.
func (c *crash) rest(ctx context.Context) error {
	began := time.Now()
	if err := c.startSwitch(); err != nil {
		return err
	}
	t := &troupe{stage: c.stage, serve: c.serve, hosts: c.hosts}
	if err := t.awaitReady(ctx, partPatience); err != nil {
		return err
	}
	c.ready = append(c.ready, time.Since(began).Milliseconds())
	c.grown = time.Since(c.began)
	c.shop.ready.Store(true)
	if err := sleep(ctx, lastStretch); err != nil { // one life is seen to its end
		return err
	}
	c.shop.ready.Store(false)
	c.endLoad()
	if err := c.fallen(); err != nil {
		return err
	}
	for _, name := range []string{linkA, linkB} {
		c.hosts[name].forget()
		if err := t.mood(ctx, tap{Host: name, Mood: "normal"}); err != nil {
			return err
		}
	}
	for _, till := range c.tills {
		if err := till.drain(ctx); err != nil {
			return err
		}
	}
	if err := c.delivered(ctx, t); err != nil {
		return err
	}
	if err := c.probe(ctx); err != nil {
		return fmt.Errorf("what must be refused: %w", err)
	}
	return c.close(ctx)
}

func (c *crash) endLoad() {
	c.ending.Do(func() { close(c.quit) })
	c.loads.Wait()
}

// delivered waits until the switch has no reversal left and its history is level with
// the journal, which after a fault of its store takes a while. The gauges are a
// second old at most, and a late answer may still come: it must be so for a while.
func (c *crash) delivered(ctx context.Context, t *troupe) error {
	const calm = 3 // looks, a second apart
	for empty := 0; empty < calm; {
		if err := sleep(ctx, time.Second); err != nil {
			return fmt.Errorf("reversals are not delivered: %w", err)
		}
		text, err := t.metrics(ctx)
		if err != nil {
			return err
		}
		empty++
		if !atRest(text) {
			empty = 0
		}
		if time.Since(c.began) > restLimit+time.Duration(c.want)*killLimit {
			return errors.New("reversals are not delivered, or the history is not level, in time")
		}
	}
	return nil
}

// atRest says whether metrics show nothing that is still to be done.
func atRest(metrics string) bool {
	for _, line := range []string{"tapswitch_saf_depth 0", "tapswitch_history_up 1", "tapswitch_history_lag_records 0"} {
		if !strings.Contains("\n"+metrics, "\n"+line+"\n") {
			return false
		}
	}
	return true
}

// close ends every process well and keeps what the hosts say of their books.
func (c *crash) close(ctx context.Context) error {
	c.serve.stop(partPatience)
	if c.serve.err != nil {
		return fmt.Errorf("the switch did not stop well: %w", c.serve.err)
	}
	for _, name := range []string{linkA, linkB} {
		host := c.hosts[name]
		if err := host.say("books"); err != nil {
			return err
		}
		e, err := host.await(ctx, partPatience, "books", named("books"))
		if err != nil {
			return err
		}
		sum, _ := e["books"].(map[string]any)
		c.books[name] = event(sum).text("check")
		host.stop(partPatience)
	}
	return c.closeTills()
}

func (c *crash) closeTills() (err error) {
	for _, t := range c.tills {
		err = errors.Join(err, t.close())
	}
	return err
}

// strike ends what still runs, in any state. It may be called twice.
func (c *crash) strike() {
	c.endLoad()
	c.serve.stop(time.Second)
	for _, host := range c.hosts {
		host.stop(time.Second)
	}
	c.database.close()
}

// payments is how many sales left their terminals so far, and how many of them
// were approved.
func (c *crash) payments() (sent, approved int) {
	for _, t := range c.tills {
		sent += int(t.sent.Load())
		approved += int(t.approved.Load())
	}
	return sent, approved
}
