// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"golang.org/x/sys/unix"

	"tapswitch/hsm/ceremony"
	"tapswitch/internal/env"
)

// transcript is the file of a ceremony that is being held, locked against a
// second one.
type transcript struct{ f *os.File }

// newTranscript makes the file; what is there is never written over.
func newTranscript(name string) (*transcript, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, errTranscriptThere(name)
	}
	if err != nil {
		return nil, fmt.Errorf("transcript: %w", err)
	}
	t := &transcript{f}
	err = errors.Join(t.lock(), env.RealDisk().SyncDir(filepath.Dir(name)))
	if err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

func errTranscriptThere(name string) error {
	return fmt.Errorf("transcript %s is there already: go on with it by --resume, or name another", name)
}

// openTranscript opens one that was interrupted, and cuts off what a crash left
// of a last line.
func openTranscript(name string) (*transcript, ceremony.Report, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return nil, ceremony.Report{}, fmt.Errorf("transcript: %w", err)
	}
	t := &transcript{f}
	report, err := t.replay(name)
	if err != nil {
		return nil, report, errors.Join(err, t.Close())
	}
	return t, report, nil
}

func (t *transcript) replay(name string) (report ceremony.Report, err error) {
	if err := t.lock(); err != nil {
		return report, err
	}
	raw, err := io.ReadAll(t.f)
	if err != nil {
		return report, fmt.Errorf("transcript: %w", err)
	}
	if report, err = ceremony.Replay(raw); err != nil {
		return report, fmt.Errorf("transcript %s: %w", name, err)
	}
	if report.Torn != 0 {
		err = t.f.Truncate(int64(report.Whole))
	}
	return report, err
}

func (t *transcript) lock() error {
	if err := unix.Flock(int(t.f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return fmt.Errorf("transcript %s: a ceremony is being held with it: %w", t.f.Name(), err)
	}
	return nil
}

// Close lets go of the lock and closes the file. A child process has a copy of the
// open file between its fork and its exec: closing ours alone would leave the lock
// there for that moment.
func (t *transcript) Close() error {
	return errors.Join(unix.Flock(int(t.f.Fd()), unix.LOCK_UN), t.f.Close())
}

// Append makes a line durable.
func (t *transcript) Append(line []byte) error {
	if _, err := t.f.Write(line); err != nil {
		return err
	}
	return t.f.Sync()
}

// readTranscript reads one that has ended, formed, and was no practice.
func readTranscript(name string) (ceremony.Report, error) {
	raw, err := os.ReadFile(name)
	if err != nil {
		return ceremony.Report{}, fmt.Errorf("transcript: %w", err)
	}
	report, err := ceremony.Replay(raw)
	switch {
	case err != nil:
		return report, fmt.Errorf("transcript %s: %w", name, err)
	case report.State.Phase != ceremony.Done:
		return report, fmt.Errorf("transcript %s: that ceremony formed nothing", name)
	case report.State.Plan.Practice:
		return report, fmt.Errorf("transcript %s: that was a practice: its values were thrown away", name)
	}
	return report, nil
}

// verify says what a transcript says, and whether to believe it.
func verify(out io.Writer, name, head, format string) error {
	raw, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("transcript: %w", err)
	}
	report, err := ceremony.Replay(raw)
	if e := showTranscript(out, format, report); e != nil {
		return e
	}
	switch {
	case err != nil:
		return fmt.Errorf("transcript %s: %w", name, err)
	case head != "" && !strings.EqualFold(head, report.Head):
		return fmt.Errorf("transcript %s: it ends with hash %s, not %s: lines are missing, or it is another", name, report.Head, head)
	case report.Torn != 0:
		return fmt.Errorf("transcript %s: its last line is cut, %d bytes of it are there: the ceremony was interrupted", name, report.Torn)
	case !report.Ended():
		return fmt.Errorf("transcript %s: the ceremony has not ended: it was interrupted (go on with --resume), or lines are missing", name)
	}
	return nil
}

// verdict is what verify prints as JSON.
type verdict struct {
	Plan     ceremony.Plan   `json:"plan"`
	Lines    []ceremony.Line `json:"lines"`
	Ended    bool            `json:"ended"`
	Formed   bool            `json:"formed"`
	Identity string          `json:"lmk"`
	Head     string          `json:"head"`
}

func showTranscript(out io.Writer, format string, r ceremony.Report) error {
	s := r.State
	switch format {
	case "json":
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		return enc.Encode(verdict{s.Plan, r.Lines, r.Ended(), s.Phase == ceremony.Done, s.Identity.String(), r.Head})
	case "table":
	default:
		return usageError{fmt.Errorf("output %q: table or json", format)}
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "LINE\tTIME\tEVENT\tWHO\tCHECK VALUE\tREMARK")
	for _, l := range r.Lines {
		check, remark := "", ""
		if l.Check != (ceremony.Check{}) {
			check = l.Check.String()
		}
		switch {
		case l.Plan != nil:
			remark = fmt.Sprintf("%s, token %s, generation %d, officer %s, witness %s, custodians %s", l.Plan.Purpose, l.Plan.Token, l.Plan.Generation,
				l.Plan.Officer, l.Plan.Witness, strings.Join(l.Plan.Custodians, " "))
		case l.Identity != (ceremony.Identity{}):
			remark = "identity " + l.Identity.String()
		}
		if l.Practice {
			remark = strings.TrimSpace("PRACTICE " + remark)
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\n", l.N, l.At, l.Event.Kind, l.Who, check, remark)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	end := map[ceremony.Phase]string{ceremony.Done: "formed", ceremony.Stopped: "stopped, nothing formed"}[s.Phase]
	if end == "" {
		end = "not ended"
	}
	_, err := fmt.Fprintf(out, "%d lines, each follows the one before; %s; the last has hash %s\n", len(r.Lines), end, r.Head)
	return err
}
