// SPDX-License-Identifier: Apache-2.0

package kat

import (
	"context"
	"errors"
	"time"

	"tapswitch/hsm/oda"
)

// offline is offline data authentication: public keys only, so no module.
func offline() map[string]Function {
	return map[string]Function{
		"emv.oda.issuer_modulus":         issuerModulus,
		"emv.oda.icc_modulus":            iccModulus,
		"emv.oda.sda_dac":                sdaDAC,
		"emv.oda.dda_icc_dynamic_number": ddaNumber,
	}
}

// certificatesGood is a month in which the published test certificates were good.
var certificatesGood = time.Date(2020, time.January, 1, 0, 0, 0, 0, time.UTC)

// public is the public key of an owner.
func public(in Inputs, owner string) (k oda.Key, err error) {
	if k.Modulus, err = in.Bytes(owner + "_modulus"); err != nil {
		return k, err
	}
	k.Exponent, err = in.Bytes(owner + "_exponent")
	return k, err
}

// certificate is a vector's certificate of an owner.
func certificate(in Inputs, owner string) (s oda.Signed, err error) {
	var errs [3]error
	s.Certificate, errs[0] = in.Bytes("certificate")
	s.Remainder, errs[1] = in.Bytes("remainder")
	s.Exponent, errs[2] = in.Bytes(owner + "_exponent")
	return s, errors.Join(errs[:]...)
}

func issuerModulus(_ context.Context, _ Module, in Inputs) (string, error) {
	ca, err := public(in, "capk")
	if err != nil {
		return "", err
	}
	cert, err := certificate(in, "issuer")
	if err != nil {
		return "", err
	}
	pan, err := in.PAN("pan")
	if err != nil {
		return "", err
	}
	out, err := oda.RecoverIssuer(ca, cert, pan, certificatesGood)
	return Hex(out.Key.Modulus), err
}

func iccModulus(_ context.Context, _ Module, in Inputs) (string, error) {
	issuer, err := public(in, "issuer")
	if err != nil {
		return "", err
	}
	cert, err := certificate(in, "icc")
	if err != nil {
		return "", err
	}
	pan, err := in.PAN("pan")
	if err != nil {
		return "", err
	}
	out, err := oda.RecoverICC(issuer, cert, pan, certificatesGood)
	return Hex(out.Unauthenticated().Modulus), err
}

func sdaDAC(_ context.Context, _ Module, in Inputs) (string, error) {
	issuer, err := public(in, "issuer")
	if err != nil {
		return "", err
	}
	ssad, err := in.Bytes("ssad")
	if err != nil {
		return "", err
	}
	out, err := oda.RecoverStatic(issuer, ssad)
	return Hex(out.DAC[:]), err
}

func ddaNumber(_ context.Context, _ Module, in Inputs) (string, error) {
	icc, err := public(in, "icc")
	if err != nil {
		return "", err
	}
	sdad, err := in.Bytes("sdad")
	if err != nil {
		return "", err
	}
	ddol, err := in.Bytes("ddol_data")
	if err != nil {
		return "", err
	}
	out, err := oda.DDA(icc, sdad, ddol)
	return Hex(out), err
}
