// SPDX-License-Identifier: Apache-2.0

package kat

import (
	"context"
	"encoding/hex"
	"fmt"

	"tapswitch/hsm"
	"tapswitch/hsm/emvkey"
	"tapswitch/internal/secret"
)

// listTags are the tags of the data list that most profiles share, in its order.
var listTags = [...]string{"9F02", "9F03", "9F1A", "95", "5F2A", "9A", "9C", "9F37", "82", "9F36"}

// covered is what a profile's cryptogram covers of field 55's tags.
func covered(profile hsm.Profile, tags map[string]string) ([]byte, error) {
	var icc []byte
	for tag, value := range tags {
		t, err := hex.DecodeString(tag)
		if err != nil {
			return nil, fmt.Errorf("%w: %s is no tag", hsm.ErrInput, tag)
		}
		v, err := hex.DecodeString(value)
		if err != nil || len(v) > 127 {
			return nil, fmt.Errorf("%w: tag %s is not hexadecimal", hsm.ErrInput, tag)
		}
		icc = append(append(append(icc, t...), byte(len(v))), v...)
	}
	c := hsm.Cryptogram{Profile: profile, PSN: [2]byte{'0', '0'}}
	var err error
	if c.Data, err = secret.NewICC(icc); err != nil {
		return nil, err
	}
	if c.PAN, err = secret.NewPAN([]byte("5413339000006165")); err != nil { // the data does not hold it
		return nil, err
	}
	in, err := emvkey.Prepare(c)
	if err != nil {
		return nil, err
	}
	return in.Covered(), nil
}

func acData(_ context.Context, _ Module, in Inputs) (string, error) {
	profiles := map[string]hsm.Profile{"visa_cvn10": hsm.VisaCVN10, "mchip_cvn16": hsm.MChipCVN16, "ccd": hsm.CCD}
	list, ok := in.v.Inputs["tags"].(map[string]any)
	if !ok {
		return "", fmt.Errorf("%w: input tags is not a set of tags", hsm.ErrInput)
	}
	tags := map[string]string{"9F26": "0000000000000000"}
	for tag, value := range list {
		tags[tag], _ = value.(string)
	}
	out, err := covered(profiles[in.Text("layout")], tags)
	return Hex(out), err
}

// cdolConcat lays ten values out as the list they are given for.
func cdolConcat(_ context.Context, _ Module, in Inputs) (string, error) {
	values, err := in.List("values")
	if err != nil {
		return "", err
	}
	if len(values) != len(listTags) {
		return "", unsupported{"only the list of ten tags that all profiles share is laid out"}
	}
	const issuerPart = 4 // the CVR of Visa's CVN 10, behind the list
	tags := map[string]string{"9F26": "0000000000000000", "9F10": "06010A03000000"}
	for i, v := range values {
		tags[listTags[i]] = hex.EncodeToString(v)
	}
	out, err := covered(hsm.VisaCVN10, tags)
	if err != nil {
		return "", err
	}
	return Hex(out[:len(out)-issuerPart]), nil
}
