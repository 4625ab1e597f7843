// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"context"
	"errors"
	"fmt"

	"tapswitch/internal/secret"
	"tapswitch/iso8583/bertlv"
	"tapswitch/terminal/reader"
)

// The issuer's answer and its scripts (EMV Book 3, 10.9 and 10.10; contactless: Book
// C-3, issuer update processing).
const (
	tagIssuerAuth    bertlv.Tag = 0x91
	tagScript1       bertlv.Tag = 0x71
	tagScript2       bertlv.Tag = 0x72
	tagScriptID      bertlv.Tag = 0x9F18
	tagScriptCommand bertlv.Tag = 0x86

	maxScripts        = 4
	maxScriptCommands = 15 // a result has half a byte for the number of one
	maxScriptCommand  = 261
	minScriptCommand  = 4

	swWarning = 0x62 // and 63: carried out, with a remark
)

// UpdateTTQ is the bit of TTQ (byte 3) of a reader that takes the card a second time
// when its issuer sends a script.
const UpdateTTQ = 0x80

// ctq2Update is the card's word that it can be taken so.
const ctq2Update = 0x40

// Script is what came of one of the issuer's scripts.
type Script struct {
	ID      [4]byte // 9F18, zeros without one
	Begun   bool    // the card got a command of it
	Refused int     // the number of the command that failed, from 1; 0: none did
}

// RunScripts takes the card a second time, selects the application again, and has it
// carry out the scripts in field 55 of the answer. A card that is gone, or does not let
// itself be selected, gets no more of them: what came of each is told in any case. The
// error says that the reader failed, or the context ended; the list is whole all the same.
func RunScripts(ctx context.Context, card reader.Card, aid []byte, answer secret.ICC) ([]Script, error) {
	data := answer.AppendTo(nil, secret.ForChip)
	defer clear(data)
	scripts, commands := scriptsOf(data)
	if len(scripts) == 0 {
		return nil, nil
	}
	send := func(apdu []byte) (ok bool, err error) {
		got, err := card.Transceive(ctx, apdu)
		if err != nil {
			return false, fmt.Errorf("issuer script: %w", err)
		}
		return len(got) >= 2 && carriedOut(got[len(got)-2:]), nil
	}
	if ok, err := send(command(0x00, 0xA4, 0x04, 0x00, aid, true)); !ok || err != nil {
		return scripts, unlessGone(err)
	}
	if auth, ok := bertlv.Find(data, tagIssuerAuth); ok { // a card that does not believe it refuses the script by itself
		if _, err := send(command(0x00, 0x82, 0x00, 0x00, auth, false)); err != nil {
			return scripts, unlessGone(err)
		}
	}
	for i := range scripts {
		for n, apdu := range commands[i] {
			scripts[i].Begun = true
			ok, err := send(apdu)
			if !ok || err != nil {
				scripts[i].Refused = n + 1
			}
			if err != nil {
				return scripts, unlessGone(err)
			}
			if !ok {
				break // the rest of it is not sent
			}
		}
	}
	return scripts, nil
}

// unlessGone is err, unless it says that the card has left: that is no error.
func unlessGone(err error) error {
	if errors.Is(err, reader.ErrCardGone) {
		return nil
	}
	return err
}

// carriedOut says what a status word says of a command of a script.
func carriedOut(sw []byte) bool {
	return uint16(sw[0])<<8|uint16(sw[1]) == swOK || sw[0] == swWarning || sw[0] == swWarning+1
}

// scriptsOf are the scripts of field 55, and the commands of each; one that does not
// parse has none.
func scriptsOf(data []byte) (scripts []Script, commands [][][]byte) {
	w := bertlv.NewWalker(data)
	for w.Next() {
		if w.Tag != tagScript1 && w.Tag != tagScript2 || len(scripts) == maxScripts {
			continue
		}
		var s Script
		var list [][]byte
		inner := bertlv.NewWalker(w.Value)
		for inner.Next() {
			switch n := len(inner.Value); {
			case inner.Tag == tagScriptID && n == len(s.ID):
				copy(s.ID[:], inner.Value)
			case inner.Tag == tagScriptCommand && n >= minScriptCommand && n <= maxScriptCommand && len(list) < maxScriptCommands:
				list = append(list, append([]byte(nil), inner.Value...))
			}
		}
		if inner.Err() != nil {
			list = nil
		}
		scripts, commands = append(scripts, s), append(commands, list)
	}
	return scripts, commands
}

// command is a short APDU with data.
func command(cla, ins, p1, p2 byte, data []byte, le bool) []byte {
	apdu := append([]byte{cla, ins, p1, p2, byte(len(data))}, data...)
	if le {
		apdu = append(apdu, 0)
	}
	return apdu
}
