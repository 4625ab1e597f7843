// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// program is what is under test, built once and run as a process of its own:
// nothing in these tests calls into it.
var program string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "tapswitch-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if program = os.Getenv("TAPSWITCH_BINARY"); program != "" {
		if program, err = filepath.Abs(program); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}
	program = filepath.Join(dir, "tapswitch")
	args := []string{"build", "-buildvcs=false", "-o", program}
	if raceEnabled {
		args = append(args, "-race")
		// A program with the detector otherwise takes a second to end.
		if err := os.Setenv("GORACE", "atexit_sleep_ms=10"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	if out, err := exec.Command("go", append(args, ".")...).CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build of the program under test: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// patience is how long anything may take that takes milliseconds on a quiet
// machine.
func patience() time.Duration {
	if raceEnabled {
		return 60 * time.Second
	}
	return 20 * time.Second
}

// ended is how a command came to its end.
type ended struct {
	code           int
	stdout, stderr string
	took           time.Duration
}

// call runs a command to its end.
func call(t *testing.T, args ...string) ended {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience()+10*time.Second)
	defer cancel()
	began := time.Now()
	c := exec.CommandContext(ctx, program, args...)
	c.WaitDelay = time.Second
	var e ended
	out, err := c.Output()
	e.stdout, e.took = string(out), time.Since(began)
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		t.Fatalf("tapswitch %v did not end within %s", args, e.took)
	case errors.As(err, &exit):
		e.code, e.stderr = exit.ExitCode(), string(exit.Stderr)
	case err != nil:
		t.Fatal(err)
	}
	return e
}
