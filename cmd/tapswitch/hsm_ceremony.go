// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"tapswitch/hsm/ceremony"
	"tapswitch/hsm/clear"
	"tapswitch/hsm/keystore"
	"tapswitch/hsm/pkcs11"
	"tapswitch/internal/env"
)

// session is what the commands that hold a ceremony have in common.
type session struct {
	token                              token
	transcript, from, lang             string
	officer, witness                   string
	custodians, terminals, checkValues []string
	generation                         uint32
	enter, practice, resume            bool
	name                               func() error // finds token and keystore; nil: token.resolve
}

// flags adds what every ceremony needs.
func (s *session) flags(c *cobra.Command) {
	s.token.flags(c)
	c.Flags().StringVar(&s.transcript, "transcript", "", "file that the ceremony is recorded in (required)")
	c.Flags().StringVar(&s.officer, "officer", "", "who leads, and says yes; no custodian")
	c.Flags().StringVar(&s.witness, "witness", "", "who watches, and says yes; no custodian")
	c.Flags().StringArrayVar(&s.terminals, "terminal", nil, "terminal of a person's own, as alice=/dev/tty2; once for each; others use the console")
	c.Flags().StringVar(&s.lang, "lang", "en", "language of the texts: en or zh")
	c.Flags().BoolVar(&s.resume, "resume", false, "go on with the ceremony in the transcript where it was interrupted")
	required(c, "transcript")
}

func newHSMCeremonyCommand() *cobra.Command {
	var s session
	c := &cobra.Command{
		Use:   "ceremony",
		Short: "Form local master keys out of components of 2 to 9 custodians",
		Long: "Hold a key ceremony at this terminal, or at a terminal for each person. Components are made at random and shown once to their custodians, or with --enter brought along; " +
			"each is typed once more and compared; officer and witness compare the result and say yes; then the keys are formed on the token. The transcript holds who did what, " +
			"check values and hashes, no component. See docs/operating/key-ceremony.md.",
		Example: "  tapswitch hsm ceremony --config switch.yaml --transcript lmk-1.jsonl --officer olga --witness wei --custodian alice --custodian bob --custodian carol\n" +
			"  tapswitch hsm ceremony --config switch.yaml --transcript lmk-1.jsonl --resume\n" +
			"  tapswitch hsm ceremony --practice --config switch.yaml --transcript practice.jsonl --officer olga --witness wei --custodian alice --custodian bob",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return s.hold(c, func(a *pkcs11.Admin) (ceremony.Plan, error) {
				p := ceremony.Plan{Purpose: ceremony.Generate, Generation: s.generation, Custodians: s.custodians, Practice: s.practice}
				if s.enter {
					p.Purpose = ceremony.Enter
				}
				if err := s.known(&p); err != nil {
					return p, err
				}
				return p, nextGeneration(a, &p)
			})
		},
	}
	s.flags(c)
	c.Flags().StringArrayVar(&s.custodians, "custodian", nil, "name of a custodian; once for each, in the order in which they come")
	c.Flags().StringArrayVar(&s.checkValues, "kcv", nil, "with --enter: check value known beforehand, as alice=1A2B3C4D5E; for all custodians or none")
	c.Flags().Uint32Var(&s.generation, "generation", 0, "generation of the local master keys; 0: the next one")
	c.Flags().BoolVar(&s.enter, "enter", false, "custodians bring components along; without: they are made at random")
	c.Flags().BoolVar(&s.practice, "practice", false, "everything as it would be, with throw-away values; nothing stays on the token")
	c.AddCommand(newHSMCeremonyVerifyCommand())
	return c
}

func newHSMCeremonyVerifyCommand() *cobra.Command {
	var head, format string
	c := &cobra.Command{
		Use:   "verify FILE",
		Short: "Check a transcript: every line, its order and its hash; say what happened",
		Long: "Step through a transcript as the ceremony did. Fails when a line was changed, left out, put in or cannot have happened then, and when the ceremony has not ended. " +
			"That whole lines are missing at the end is seen by comparing the last hash with the one that officer and witness wrote down: --head.",
		Example: "  tapswitch hsm ceremony verify lmk-1.jsonl\n  tapswitch hsm ceremony verify lmk-1.jsonl --head 5d1e… -o json",
		Args:    cobra.ExactArgs(1),
		RunE:    func(c *cobra.Command, args []string) error { return verify(c.OutOrStdout(), args[0], head, format) },
	}
	c.Flags().StringVar(&head, "head", "", "hash that the transcript must end with")
	c.Flags().StringVarP(&format, "output", "o", "table", "table or json")
	return c
}

func newHSMRestoreCommand() *cobra.Command {
	var s session
	c := &cobra.Command{
		Use:   "restore",
		Short: "Form the local master keys of an earlier ceremony again, on a new token",
		Long: "The custodians of an earlier ceremony type their components; each must have the check value that its transcript has, and all together must give the same local master keys. " +
			"Every stored key and every sealed card number is readable again. Also for the further tokens of a failover group: --member.",
		Example: "  tapswitch hsm restore --config switch.yaml --from lmk-1.jsonl --transcript restore.jsonl --officer olga --witness wei",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return s.hold(c, func(*pkcs11.Admin) (ceremony.Plan, error) { return s.earlier(ceremony.Restore) })
		},
	}
	s.flags(c)
	c.Flags().StringVar(&s.from, "from", "", "transcript of the ceremony whose components are typed")
	return c
}

// known takes in check values that are known beforehand.
func (s *session) known(p *ceremony.Plan) error {
	given := map[string]string{}
	for _, kcv := range s.checkValues {
		who, value, _ := strings.Cut(kcv, "=")
		given[who] = value
	}
	if len(given) == 0 {
		return nil
	}
	for _, who := range p.Custodians {
		var c ceremony.Check
		if err := c.UnmarshalText([]byte(given[who])); err != nil {
			return usageError{fmt.Errorf("--kcv of %s: %w", who, err)}
		}
		p.Checks = append(p.Checks, c)
		delete(given, who)
	}
	for who := range given {
		return usageError{fmt.Errorf("--kcv of %q, who is no custodian", who)}
	}
	return nil
}

// earlier is a plan with the components of an earlier ceremony.
func (s *session) earlier(purpose ceremony.Purpose) (ceremony.Plan, error) {
	if s.from == "" {
		return ceremony.Plan{}, usageError{errors.New("--from: name the transcript of the ceremony whose components are typed")}
	}
	was, err := readTranscript(s.from)
	if err != nil {
		return ceremony.Plan{}, err
	}
	p := ceremony.Plan{Purpose: purpose, Generation: was.State.Plan.Generation, Custodians: was.State.Plan.Custodians, Identity: was.State.Identity}
	for _, part := range was.State.Parts {
		p.Checks = append(p.Checks, part.Check)
	}
	return p, nil
}

// nextGeneration numbers a plan that has no number, and refuses one that is
// taken before anybody wrote down a component.
func nextGeneration(a *pkcs11.Admin, p *ceremony.Plan) error {
	there, err := a.Generations()
	if err != nil {
		return err
	}
	next := uint32(1)
	for _, g := range there {
		if g.Whole && g.Number == p.Generation && !p.Practice {
			return fmt.Errorf("generation %d is on the token already; it is not replaced", g.Number)
		}
		if g.Whole {
			next = max(next, g.Number+1)
		}
	}
	if p.Generation == 0 {
		p.Generation = next
	}
	return nil
}

// hold holds a ceremony: a new one by the plan, or the one in the transcript.
func (s *session) hold(c *cobra.Command, planned func(*pkcs11.Admin) (ceremony.Plan, error)) error {
	lang, err := ceremony.ParseLang(s.lang)
	if err != nil {
		return usageError{err}
	}
	if s.name == nil {
		s.name = s.token.resolve
	}
	if err := s.name(); err != nil {
		return err
	}
	d, err := newDesk(c.InOrStdin(), c.OutOrStdout(), s.terminals)
	if err != nil {
		return err
	}
	defer d.Close()
	a, err := s.token.admin()
	if err != nil {
		return err
	}
	defer a.Close()
	r := &ceremony.Runner{Vault: &vault{a, s.token.keystore}, Desk: d, Clock: env.Real().Clock, Lang: lang}
	if s.resume {
		return s.goOn(c.Context(), r, d)
	}
	if _, err := os.Stat(s.transcript); err == nil {
		return errTranscriptThere(s.transcript)
	}
	plan, err := planned(a)
	if err != nil {
		return err
	}
	plan.Token, plan.Officer, plan.Witness = s.token.label, s.officer, s.witness
	if err := plan.Check(); err != nil {
		return usageError{err}
	}
	if err := d.seat(plan); err != nil {
		return err
	}
	log, err := newTranscript(s.transcript)
	if err != nil {
		return err
	}
	defer log.Close()
	r.Log = log
	_, err = r.Begin(c.Context(), plan)
	return s.interrupted(err)
}

// goOn resumes; token and plan are those of the transcript.
func (s *session) goOn(ctx context.Context, r *ceremony.Runner, d *desk) error {
	log, was, err := openTranscript(s.transcript)
	if err != nil {
		return err
	}
	defer log.Close()
	if was.State.Plan.Token != s.token.label {
		return fmt.Errorf("transcript %s is of token %q, not %q", s.transcript, was.State.Plan.Token, s.token.label)
	}
	if err := d.seat(was.State.Plan); err != nil {
		return err
	}
	r.Log = log
	_, err = r.Resume(ctx, was)
	return s.interrupted(err)
}

// interrupted adds what to do to an error that did not end the ceremony.
func (s *session) interrupted(err error) error {
	if err == nil || errors.Is(err, ceremony.ErrAborted) || errors.Is(err, ceremony.ErrEvent) {
		return err
	}
	return fmt.Errorf("%w; the ceremony is interrupted: go on with --transcript %s --resume", err, s.transcript)
}

// admin opens the token for the commands that look after local master keys.
func (t *token) admin() (*pkcs11.Admin, error) {
	return pkcs11.OpenAdmin(env.Real(), pkcs11.Config{Module: t.module, TokenLabel: t.label, UserPIN: t.pin})
}

// vault is the module and the keystore as a ceremony needs them.
type vault struct {
	*pkcs11.Admin
	keystore string
}

// Finish forms, or moves stored keys. A practice leaves nothing.
func (v *vault) Finish(ctx context.Context, p ceremony.Plan, components []*clear.Component) (int, error) {
	switch {
	case p.Practice:
		_, _, err := v.Combine(components)
		return 0, err
	case p.Purpose == ceremony.Migrate:
		return v.migrate(ctx, components)
	}
	_, err := v.Form(components, p.Generation, pkcs11.FromComponents)
	return 0, err
}

// Finished looks for the generation on the token, or for keys left behind.
func (v *vault) Finished(p ceremony.Plan, id ceremony.Identity) (bool, int, error) {
	if p.Practice {
		return false, 0, nil
	}
	if p.Purpose == ceremony.Migrate {
		left, all, err := countKeys(v.keystore, id)
		return err == nil && left == 0, all, err
	}
	there, err := v.Generations()
	for _, g := range there {
		if g.Whole && g.Number == p.Generation && g.Identity == id {
			return true, 0, nil
		}
	}
	return false, 0, err
}

// countKeys counts the stored keys under a local master key, and all.
func countKeys(dir string, id [8]byte) (under, all int, err error) {
	keys, err := keystore.Read(env.RealDisk(), dir)
	if err != nil {
		return 0, 0, err
	}
	for _, k := range keys {
		all++
		if k.LMK == id {
			under++
		}
	}
	return under, all, nil
}
