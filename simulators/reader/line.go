// SPDX-License-Identifier: Apache-2.0

package reader

import "time"

// wakeByte is what a sleeping chip waits for.
const wakeByte = 0x55

// maxHeld bounds the bytes held for an unfinished frame.
const maxHeld = 1024

// line is the serial side of the chip.
type line struct {
	r     *Reader
	held  []byte
	awake bool
	last  []byte // the last answer's frame, for NACK
}

func (l *line) take(b []byte) {
	l.held = append(l.held, b...)
	if !l.awake {
		for i, x := range l.held {
			if x == wakeByte {
				l.awake, l.held = true, l.held[i:]
				break
			}
		}
		if !l.awake {
			l.held = nil
			return
		}
	}
	for {
		kind, content, rest := takeFrame(l.held)
		switch kind {
		case commandFrame:
			l.command(append([]byte(nil), content...))
		case nackFrame:
			l.send(l.last)
		case noFrame, ackFrame, brokenFrame:
			// An ACK aborts what runs; nothing runs between frames. A broken
			// frame is not answered: the host sends it again.
		}
		l.held = append([]byte(nil), rest...)
		if kind == noFrame {
			break
		}
	}
	if len(l.held) > maxHeld {
		l.held = nil
	}
}

func (l *line) command(command []byte) {
	answer, ok, fault := l.obey(command)
	switch fault {
	case Deaf:
		return
	case NoACK:
	case Noise:
		l.send([]byte{0xFF, 0x13, 0x37, 0x00, 0x00})
		l.send(ackBytes[:])
	default:
		l.send(ackBytes[:])
	}
	if !ok {
		l.last = errorBytes[:]
		l.send(l.last)
		return
	}
	l.last = makeFrame(answer)
	l.answer(command, fault)
}

// obey runs the command, and takes the fault that strikes it.
func (l *line) obey(command []byte) (answer []byte, ok bool, fault Fault) {
	r := l.r
	r.mu.Lock()
	defer r.mu.Unlock()
	exchange := command[0] == 0x40
	if fault = r.fault; fault == TwoCard || fault == Late && !exchange {
		fault = NoFault
	}
	if fault != NoFault {
		r.fault = NoFault
	}
	if fault == Deaf {
		return nil, false, fault
	}
	if exchange {
		r.apdus++
	}
	answer, ok = r.chip.obey(command)
	return answer, ok, fault
}

func (l *line) answer(command []byte, fault Fault) {
	if command[0] == 0x4A {
		time.Sleep(l.r.cfg.LookTime) // the chip looks for a card
	}
	switch fault {
	case Corrupt:
		bad := append([]byte(nil), l.last...)
		bad[len(bad)-2] ^= 0x01
		l.send(bad)
	case Cut:
		l.send(l.last[:len(l.last)/2+1])
	case Late:
		late := append([]byte(nil), l.last...)
		time.AfterFunc(l.r.cfg.LateAnswer, func() { l.send(late) })
	default:
		l.send(l.last)
	}
}

// send writes to the line. A line nobody reads loses bytes, as a real one does.
func (l *line) send(b []byte) {
	_ = l.r.master.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = l.r.master.Write(b)
}
