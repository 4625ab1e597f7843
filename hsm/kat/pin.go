// SPDX-License-Identifier: Apache-2.0

package kat

import (
	"context"
	"encoding/hex"
	"fmt"

	"tapswitch/hsm"
	"tapswitch/hsm/pinblock"
	"tapswitch/internal/secret"
)

// PINs are what a driver does with PINs.
type PINs interface {
	hsm.Translator
	hsm.PINIssuer
}

// pinBlocks are PIN blocks. Layouts are the product's own; what is enciphered
// goes through the driver, but for blocks with fixed random filler, which a
// driver chooses itself: those are laid out here and enciphered by the module.
func pinBlocks() map[string]Function {
	all := map[string]Function{
		"pinblock.iso4.pin_field":        fieldStep("field"),
		"pinblock.iso4.pan_field":        fieldStep("pan"),
		"pinblock.iso4.intermediate_a":   fieldStep("a"),
		"pinblock.iso4.intermediate_b":   fieldStep("b"),
		"pinblock.iso4.encipher":         fieldStep("all"),
		"pinblock.iso4.pin_field_decode": func(_ context.Context, _ Module, in Inputs) (string, error) { return decodeField(in.Bytes("field")) },
		"pinblock.iso4.decipher":         decipher4,
		"pinblock.encrypt_iso0":          encrypt0,
		"pinblock.encrypt_iso0_pan12":    encrypt0,
		"pinblock.decrypt_iso1":          decrypt1,
		"pinblock.encrypt_ibm3624":       encrypt3624,
		"pinblock.translate":             translate,
	}
	for name, encode := range encoders() {
		all["pinblock."+name] = func(_ context.Context, _ Module, in Inputs) (string, error) {
			var block [8]byte
			if err := encode(&block, in); err != nil {
				return "", err
			}
			return Hex(block[:]), nil
		}
	}
	for name, decode := range decoders() {
		all["pinblock."+name] = func(_ context.Context, _ Module, in Inputs) (string, error) {
			return decode8(in, decode)
		}
	}
	return all
}

// encoders lay out blocks of eight bytes.
func encoders() map[string]func(block *[8]byte, in Inputs) error {
	pin := func(in Inputs) []byte { return []byte(in.Text("pin")) }
	return map[string]func(block *[8]byte, in Inputs) error{
		"iso0.encode": func(block *[8]byte, in Inputs) error {
			account, err := pinblock.Account([]byte(in.Text("pan")))
			if err != nil {
				return err
			}
			return pinblock.Encode0(block, pin(in), account)
		},
		"iso0.encode_short_pan": func(_ *[8]byte, in Inputs) error {
			_, err := pinblock.Account([]byte(in.Text("pan")))
			return unsupported{fmt.Sprintf("refused by policy, two cards could share such a block: %v", err)}
		},
		"iso1.encode": func(block *[8]byte, in Inputs) error {
			fill, err := filler(in)
			if err != nil {
				return err
			}
			return pinblock.Encode1(block, pin(in), &fill)
		},
		"iso2.encode": func(block *[8]byte, in Inputs) error { return pinblock.Encode2(block, pin(in)) },
		"iso3.encode": func(block *[8]byte, in Inputs) error {
			account, err := pinblock.Account([]byte(in.Text("pan")))
			if err != nil {
				return err
			}
			fill, err := filler(in)
			if err != nil {
				return err
			}
			return pinblock.Encode3(block, pin(in), account, &fill)
		},
		"diebold.encode": func(block *[8]byte, in Inputs) error {
			fill, err := filler(in)
			if err != nil {
				return err
			}
			return pinblock.EncodeDiebold(block, pin(in), fill[0])
		},
	}
}

// filler are the filler digits of a vector as numbers; A where it has too few.
func filler(in Inputs) (out [pinblock.FillMax]byte, err error) {
	text := in.Text("fill")
	for i := range out {
		digit := "A"
		if i < len(text) {
			digit = text[i : i+1]
		}
		b, err := hex.DecodeString("0" + digit)
		if err != nil {
			return out, fmt.Errorf("%w: input fill is not hexadecimal", hsm.ErrInput)
		}
		out[i] = b[0]
	}
	return out, nil
}

// decoder reads a clear block of eight bytes.
type decoder func(pin *[pinblock.MaxPIN]byte, block *[8]byte, pan []byte) (int, error)

func decoders() map[string]decoder {
	bare := func(decode func(*[pinblock.MaxPIN]byte, *[8]byte) (int, error)) decoder {
		return func(pin *[pinblock.MaxPIN]byte, block *[8]byte, _ []byte) (int, error) { return decode(pin, block) }
	}
	withPAN := func(decode func(*[pinblock.MaxPIN]byte, *[8]byte, [12]byte) (int, error)) decoder {
		return func(pin *[pinblock.MaxPIN]byte, block *[8]byte, pan []byte) (int, error) {
			account, err := pinblock.Account(pan)
			if err != nil {
				return 0, err
			}
			return decode(pin, block, account)
		}
	}
	return map[string]decoder{
		"iso0.decode": withPAN(pinblock.Decode0), "iso1.decode": bare(pinblock.Decode1), "iso2.decode": bare(pinblock.Decode2),
		"iso3.decode": withPAN(pinblock.Decode3), "iso3.decode_lenient": withPAN(pinblock.Decode3),
		"eci2.decode": bare(pinblock.DecodeECI2), "eci3.decode": bare(pinblock.DecodeECI3),
		"visa2.decode": bare(pinblock.DecodeECI3), "visa3.decode": bare(pinblock.DecodeVISA3),
	}
}

func decode8(in Inputs, decode decoder) (string, error) {
	block, err := in.Bytes("block")
	if err != nil {
		return "", err
	}
	if len(block) != 8 {
		return "", pinblock.ErrBlockLength
	}
	var pin [pinblock.MaxPIN]byte
	n, err := decode(&pin, (*[8]byte)(block), []byte(in.Text("pan")))
	return string(pin[:n]), err
}

func decodeField(field []byte, err error) (string, error) {
	if err != nil {
		return "", err
	}
	if len(field) != 16 {
		return "", pinblock.ErrBlockLength
	}
	var pin [pinblock.MaxPIN]byte
	n, err := pinblock.DecodeField4(&pin, (*[16]byte)(field))
	return string(pin[:n]), err
}

// fieldStep makes a format 4 block up to a step: the PIN field, A, B, all; or
// the PAN field.
func fieldStep(last string) Function {
	return func(ctx context.Context, m Module, in Inputs) (string, error) {
		var field, pan [16]byte
		if last == "pan" {
			err := pinblock.PANField4(&pan, []byte(in.Text("pan")))
			return Hex(pan[:]), err
		}
		random, err := in.Bytes("random")
		if err != nil || len(random) != 8 {
			return "", fmt.Errorf("%w: input random is not 8 bytes", hsm.ErrInput)
		}
		if err := pinblock.EncodeField4(&field, []byte(in.Text("pin")), [8]byte(random)); err != nil || last == "field" {
			return Hex(field[:]), err
		}
		key, err := clearOf(in, "key", AES)
		if err != nil {
			return "", err
		}
		a, err := key.ECB(ctx, m, field[:])
		if err != nil || last == "a" {
			return Hex(a), err
		}
		if err := pinblock.PANField4(&pan, []byte(in.Text("pan"))); err != nil {
			return "", err
		}
		for i := range pan {
			pan[i] ^= a[i]
		}
		if last == "b" {
			return Hex(pan[:]), nil
		}
		out, err := key.ECB(ctx, m, pan[:])
		return Hex(out), err
	}
}

// clearOf is a key among the inputs.
func clearOf(in Inputs, name string, kind keyOf) (Clear, error) {
	value, err := in.Bytes(name)
	if err != nil {
		return Clear{}, err
	}
	return kind(value)
}

// katPIN and katField are the keys of blocks that go into the driver and come
// out of it, beside those of a vector.
var (
	katPIN   = Clear{hsm.TDES2, []byte("\x01\x23\x45\x67\x89\xAB\xCD\xEF\xFE\xDC\xBA\x98\x76\x54\x32\x10")}
	katField = Clear{hsm.AES128, katPIN.Value}
)

// katPAN stands for the card where a vector has none.
const katPAN = "6224242300000069"

// arrived is a vector's PIN as it comes into the driver, in format 1, which goes
// with every card.
func arrived(ctx context.Context, m Module, pin string, pan secret.PAN) (in hsm.EncipheredPIN, err error) {
	var block [8]byte
	if err := pinblock.Encode1(&block, []byte(pin), new([pinblock.FillMax]byte)); err != nil {
		return in, err
	}
	out, err := katPIN.ECB(ctx, m, block[:])
	if err != nil {
		return in, err
	}
	in = hsm.EncipheredPIN{Format: hsm.ISO1, PAN: pan}
	if in.Key, err = load(ctx, m, hsm.ZPK, katPIN); err != nil {
		return in, err
	}
	in.Block, err = secret.NewPINBlock(out)
	return in, err
}

// encrypt0 has the driver make a format 0 block.
func encrypt0(ctx context.Context, m Module, in Inputs) (string, error) {
	digits := in.Text("pan")
	if in.Has("pan12") {
		digits = in.Text("pan12") + "0" // with a check digit, which does not count
	}
	pan, err := secret.NewPAN([]byte(digits))
	if err != nil {
		return "", err
	}
	from, err := arrived(ctx, m, in.Text("pin"), pan)
	if err != nil {
		return "", err
	}
	key, err := clearOf(in, "key", TDES)
	if err != nil {
		return "", err
	}
	to := hsm.PINTarget{Format: hsm.ISO0, PAN: pan}
	if to.Key, err = load(ctx, m, hsm.ZPK, key); err != nil {
		return "", err
	}
	out, err := m.TranslatePIN(ctx, from, to)
	return Hex(out.AppendTo(nil, secret.ForTest)), err
}

// readPIN has the driver make a format 4 block of one it is given, and reads
// the PIN in that.
func readPIN(ctx context.Context, m Module, f hsm.PINFormat, key Clear, block []byte, pan secret.PAN) (string, error) {
	from := hsm.EncipheredPIN{Format: f, PAN: pan}
	var err error
	if from.Block, err = secret.NewPINBlock(block); err != nil {
		return "", err
	}
	if from.Key, err = load(ctx, m, hsm.ZPK, key); err != nil {
		return "", err
	}
	to := hsm.PINTarget{Format: hsm.ISO4, PAN: pan}
	if to.Key, err = load(ctx, m, hsm.ZPK, katField); err != nil {
		return "", err
	}
	out, err := m.TranslatePIN(ctx, from, to)
	if err != nil {
		return "", err
	}
	return open4(ctx, m, katField, out.AppendTo(nil, secret.ForTest), pan.Reveal(secret.ForTest))
}

// open4 reads the PIN in a format 4 block, deciphered by the module.
func open4(ctx context.Context, m Raw, key Clear, block, pan []byte) (string, error) {
	var number [16]byte
	if err := pinblock.PANField4(&number, pan); err != nil {
		return "", err
	}
	if len(block) != 16 {
		return "", pinblock.ErrBlockLength
	}
	b, err := m.Cipher(ctx, key.Algorithm, key.Value, true, nil, block)
	if err != nil {
		return "", err
	}
	for i := range number {
		number[i] ^= b[i]
	}
	return decodeField(m.Cipher(ctx, key.Algorithm, key.Value, true, nil, number[:]))
}

func decipher4(ctx context.Context, m Module, in Inputs) (string, error) {
	key, err := clearOf(in, "key", AES)
	if err != nil {
		return "", err
	}
	block, err := in.Bytes("block")
	if err != nil {
		return "", err
	}
	pan, err := in.PAN("pan")
	if err != nil && len(in.Text("pan")) < 8 { // fewer digits than a card number has
		return open4(ctx, m, key, block, []byte(in.Text("pan")))
	}
	if err != nil {
		return "", err
	}
	return readPIN(ctx, m, hsm.ISO4, key, block, pan)
}

func decrypt1(ctx context.Context, m Module, in Inputs) (string, error) {
	key, err := clearOf(in, "key", TDES)
	if err != nil {
		return "", err
	}
	block, err := in.Bytes("block")
	if err != nil {
		return "", err
	}
	pan, err := secret.NewPAN([]byte(katPAN))
	if err != nil {
		return "", err
	}
	return readPIN(ctx, m, hsm.ISO1, key, block, pan)
}

// encrypt3624 lays out a block that no driver takes.
func encrypt3624(ctx context.Context, m Module, in Inputs) (string, error) {
	key, err := clearOf(in, "key", TDES)
	if err != nil {
		return "", err
	}
	fill, err := filler(in)
	if err != nil {
		return "", err
	}
	var block [8]byte
	if err := pinblock.EncodeIBM3624(&block, []byte(in.Text("pin")), fill[0]); err != nil {
		return "", err
	}
	out, err := key.ECB(ctx, m, block[:])
	return Hex(out), err
}

// translate is a whole translation through the driver.
func translate(ctx context.Context, m Module, in Inputs) (string, error) {
	formats := map[string]hsm.PINFormat{"iso0": hsm.ISO0, "iso1": hsm.ISO1, "iso3": hsm.ISO3}
	from, to := hsm.EncipheredPIN{Format: formats[in.Text("in_format")]}, hsm.PINTarget{Format: formats[in.Text("out_format")]}
	if hsm.Translation(from.Format, to.Format) == hsm.NeverTranslated {
		return "", unsupported{fmt.Sprintf("PCI PIN 3-3 forbids it: %s is not translated to %s", from.Format, to.Format)}
	}
	block, err := in.Bytes("block")
	if err != nil {
		return "", err
	}
	if from.Block, err = secret.NewPINBlock(block); err != nil {
		return "", err
	}
	if from.PAN, err = in.PAN("in_pan"); err != nil {
		return "", err
	}
	if to.PAN, err = in.PAN("out_pan"); err != nil {
		return "", err
	}
	for name, key := range map[string]**hsm.Key{"in_key": &from.Key, "out_key": &to.Key} {
		value, err := clearOf(in, name, TDES)
		if err != nil {
			return "", err
		}
		if *key, err = load(ctx, m, hsm.ZPK, value); err != nil {
			return "", err
		}
	}
	out, err := m.TranslatePIN(ctx, from, to)
	return Hex(out.AppendTo(nil, secret.ForTest)), err
}
