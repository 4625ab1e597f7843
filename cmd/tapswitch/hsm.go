// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"tapswitch/hsm/pkcs11"
	"tapswitch/internal/secret"
	"tapswitch/switch/config"
)

func newHSMCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "hsm",
		Short:   "Look after the security module and its keys",
		Example: "  tapswitch hsm doctor --config switch.yaml\n  tapswitch hsm key list --config switch.yaml",
	}
	c.AddCommand(newHSMInitCommand(), newHSMCeremonyCommand(), newHSMRestoreCommand(), newHSMLMKCommand())
	c.AddCommand(newHSMDoctorCommand(), newHSMMechanismsCommand(), newHSMKeyCommand(), newHSMInventoryCommand(), newHSMKATCommand(), newHSMBenchCommand())
	return c
}

// token says which token a command speaks to.
type token struct {
	config, module, label, pinFile string
	keystore, environment          string // folder of wrapped keys, test or production: from the configuration
	pin                            secret.Key
	member                         int            // which token of the failover group, from 1; 0 when it was not said
	group                          []pkcs11.Token // all of them, from the configuration
}

// flags adds what names a token: the switch's configuration, or its parts.
func (t *token) flags(c *cobra.Command) {
	c.Flags().StringVar(&t.config, "config", "", "switch configuration whose hsm section names the token")
	c.Flags().StringVar(&t.module, "module", "", "PKCS#11 library, instead of --config")
	c.Flags().StringVar(&t.label, "token", "", "label of the token, with --module")
	c.Flags().StringVar(&t.pinFile, "pin-file", "", "file whose first line is the user PIN, with --module")
	c.Flags().IntVar(&t.member, "member", 0, "which token of the failover group, with --config: 1 is that of the hsm section, 2 the first of its members, and so on")
}

// resolve fills in the parts, and tells SoftHSM where its tokens are when the
// configuration does.
func (t *token) resolve() error {
	if t.config != "" {
		if t.module != "" || t.label != "" || t.pinFile != "" {
			return usageError{errors.New("--config names the token already: leave out --module, --token and --pin-file")}
		}
		cfg, err := config.Load(t.config, machine())
		if err != nil {
			return err
		}
		t.group = tokensOf(cfg.HSM)
		if t.member < 0 || t.member > len(t.group) {
			return usageError{fmt.Errorf("--member %d: the configuration has %d: the token of the hsm section is 1, its members follow", t.member, len(t.group))}
		}
		t.use(t.group[max(t.member, 1)-1])
		t.keystore, t.environment = cfg.HSM.Keystore, cfg.Environment
		return useSoftHSM(cfg.HSM.SoftHSMConf)
	}
	if t.member != 0 {
		return usageError{errors.New("--member is of a configuration: give --config, or name the token by --module, --token and --pin-file")}
	}
	if t.module == "" || t.label == "" || t.pinFile == "" {
		return usageError{errors.New("which token? give --config, or all of --module, --token and --pin-file")}
	}
	var err error
	t.pin, err = pinOf(t.pinFile, "user PIN")
	return err
}

// use makes t speak to one token.
func (t *token) use(one pkcs11.Token) {
	t.module, t.label, t.pin = one.Module, one.TokenLabel, one.UserPIN
}

// tokensOf are all tokens of a configuration, in the order in which they are asked.
func tokensOf(c config.HSM) []pkcs11.Token {
	all := []pkcs11.Token{{Module: c.Module, TokenLabel: c.Token, UserPIN: c.UserPIN}}
	for _, m := range c.Members {
		all = append(all, pkcs11.Token{Module: m.Module, TokenLabel: m.Token, UserPIN: m.UserPIN})
	}
	return all
}

// useSoftHSM names the configuration file of SoftHSM, when there is one.
func useSoftHSM(file string) error {
	if file == "" {
		return nil
	}
	return os.Setenv("SOFTHSM2_CONF", file)
}

func newHSMMechanismsCommand() *cobra.Command {
	var t token
	var format string
	c := &cobra.Command{
		Use:   "mechanisms",
		Short: "Say function by function what the module can do, and what leaves it",
		Long: "Execute every mechanism with test keys on the token and compare the answers; then say for each function whether it works there, " +
			"whether a key leaves the module while it runs, and whether a PIN does. Makes session objects only, nothing that stays.",
		Example: "  tapswitch hsm mechanisms --config switch.yaml\n  tapswitch hsm mechanisms --module /usr/lib/softhsm/libsofthsm2.so --token demo --pin-file user.pin -o json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := t.resolve(); err != nil {
				return err
			}
			module, err := pkcs11.Probe(t.module, t.label, t.pin)
			if err != nil {
				return err
			}
			return showMechanisms(c.OutOrStdout(), format, module)
		},
	}
	t.flags(c)
	c.Flags().StringVarP(&format, "output", "o", "table", "table or json")
	return c
}
