// SPDX-License-Identifier: Apache-2.0

package kat

import (
	"context"
	"maps"

	"tapswitch/hsm"
)

// Module is a driver on a token of known answers.
type Module interface {
	Raw
	hsm.KeyLoader
	hsm.DUKPTMACer
	hsm.DUKPTDataCipher
	hsm.MACer
	hsm.CVVer
	hsm.CAVVer
	hsm.DCVVer
	hsm.CVC3er
	hsm.SM3Hasher
	hsm.GivenVerifier
	hsm.ScriptProtector
	hsm.PINChanger
	PINs
}

// Functions are all functions by the names that vector files use.
func Functions() map[string]Function {
	all := make(map[string]Function)
	for _, family := range families() {
		maps.Copy(all, family)
	}
	return all
}

func families() []map[string]Function {
	return []map[string]Function{checkValues(), ciphers(), uniqueKeys(), macs(), cards(), sms(), chips(), scripts(), offline(), keyBlocks(), pinBlocks(), pinValues(), missing()}
}

// missing are functions that have a name and are not done, each with its reason.
func missing() map[string]Function {
	say := func(why string) Function {
		return func(context.Context, Module, Inputs) (string, error) { return "", unsupported{why} }
	}
	return map[string]Function{
		"fpe.ff1_encrypt": say("PKCS#11 has no mechanism for format-preserving encryption (FF1 of NIST SP 800-38G), and the driver has no such function to build of AES: card numbers are kept by token and AES-GCM"),
	}
}
