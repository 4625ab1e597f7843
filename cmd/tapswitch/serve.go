// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"tapswitch/hsm/pkcs11"
	"tapswitch/internal/env"
	"tapswitch/switch/config"
	"tapswitch/switch/node"
)

func newServeCommand() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:     "serve --config FILE",
		Short:   "Run the switch",
		Long:    "Run the switch until it is told to stop (SIGTERM, SIGINT); then finish what is in flight.",
		Example: "  tapswitch serve --config switch.yaml\n  tapswitch config check switch.yaml && tapswitch serve --config switch.yaml",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := config.Load(file, machine())
			if err != nil {
				return err
			}
			return serve(c.Context(), cfg, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	c.Flags().StringVar(&file, "config", "", "configuration file (required)")
	required(c, "config")
	return c
}

// serve runs one switch over the machine's own world and HSM.
func serve(ctx context.Context, cfg *config.Config, out, errs io.Writer) error {
	log, closeLog, err := openLog(cfg.Observe.Log, out, errs)
	if err != nil {
		return err
	}
	defer closeLog()
	if err := useSoftHSM(cfg.HSM.SoftHSMConf); err != nil {
		return err
	}
	world := env.Real()
	module, err := openHSM(world, cfg.HSM)
	if err != nil {
		return fmt.Errorf("hsm: %w", err)
	}
	defer module.Close()
	if err := fit(cfg.Environment, module.Origin()); err != nil {
		return err
	}
	n, err := node.New(cfg, world, module, node.Options{Log: log, Version: version})
	if err != nil {
		return err
	}
	return n.Run(ctx)
}

// driver is what serve needs of either form of the HSM.
type driver interface {
	node.Module
	Origin() pkcs11.Origin
	Close() error
}

// openHSM opens one token, or a failover group when there are members.
func openHSM(world env.Env, c config.HSM) (driver, error) {
	cfg := pkcs11.Config{Module: c.Module, TokenLabel: c.Token, UserPIN: c.UserPIN, Sessions: c.Sessions, Timeout: c.Timeout}
	if len(c.Members) == 0 {
		return pkcs11.Open(world, cfg)
	}
	return pkcs11.OpenGroup(world, cfg, tokensOf(c)[1:]...)
}

// openLog opens the log: stderr, stdout, or a file that is appended to.
func openLog(name string, out, errs io.Writer) (io.Writer, func(), error) {
	switch name {
	case "", "stderr":
		return errs, func() {}, nil
	case "stdout":
		return out, func() {}, nil
	}
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
	if err != nil {
		return nil, nil, fmt.Errorf("log: %w", err)
	}
	return f, func() { f.Close() }, nil
}

// fit refuses for production what only tests may run on.
func fit(environment string, origin pkcs11.Origin) error {
	if environment == "production" && origin == pkcs11.FromPractice {
		return errors.New("hsm: the token's local master keys are of a practice, with throw-away values: hold a ceremony (tapswitch hsm ceremony) before production")
	}
	return nil
}
