// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"tapswitch/switch/journal"
)

// chain is the value that binds a batch to all before it.
type chain [sha256.Size]byte

// row is one batch as it is stored.
type row struct {
	first, last uint64
	reserved    int64 // outstanding behind it, as if nothing had been purged
	chain       chain
	body        []byte
}

// seal gives the chain value of r behind before.
func (r *row) seal(before chain) chain {
	h := sha256.New()
	h.Write(before[:])
	var b [24]byte
	binary.BigEndian.PutUint64(b[:], r.first)
	binary.BigEndian.PutUint64(b[8:], r.last)
	binary.BigEndian.PutUint64(b[16:], uint64(r.reserved))
	h.Write(b[:])
	h.Write(r.body)
	return chain(h.Sum(nil))
}

// A record in a body, numbers big-endian:
//
//	0  1  version 1
//	1  1  flags: 1 more records of this Append follow
//	2  1  kind
//	3  1  length of the key
//	4  4  length of the body
//	8  4  reserve, signed
//	12 …  key, body
const (
	version  = 1
	headSize = 12
	flagMore = 1
)

// appendRecord encodes one record.
func appendRecord(dst []byte, r journal.Record, more bool) []byte {
	flags := byte(0)
	if more {
		flags = flagMore
	}
	dst = append(dst, version, flags, r.Kind, byte(len(r.Key)))
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(r.Body)))
	dst = binary.BigEndian.AppendUint32(dst, uint32(int32(r.Reserve)))
	dst = append(dst, r.Key...)
	return append(dst, r.Body...)
}

// parseRecord reads the first record of b, whether more of its Append follow, and
// what is behind it.
func parseRecord(b []byte) (rec journal.Record, more bool, rest []byte, err error) {
	if len(b) < headSize || b[0] != version || b[1]&^flagMore != 0 {
		return rec, false, nil, fmt.Errorf("is not of version %d", version)
	}
	key, body := int(b[3]), int(binary.BigEndian.Uint32(b[4:]))
	if body > journal.MaxBody || len(b) < headSize+key+body {
		return rec, false, nil, errors.New("is longer than its batch")
	}
	rec = journal.Record{Kind: b[2], Reserve: int(int32(binary.BigEndian.Uint32(b[8:])))}
	rec.Key, rec.Body = b[headSize:][:key:key], b[headSize+key:][:body:body]
	return rec, b[1] == flagMore, b[headSize+key+body:], nil
}

// each walks the records of a body and gives the room behind them.
func (r *row) each(at room, fn func(seq uint64, rec journal.Record, more bool) error) (room, error) {
	b, net, more := r.body, int64(0), false
	seq := r.first
	for ; len(b) > 0; seq++ {
		rec, m, rest, err := parseRecord(b)
		if err != nil {
			return at, fmt.Errorf("record %d %w", seq, err)
		}
		b, more = rest, m
		if net += int64(rec.Reserve); !more {
			at, net = at.settle(net), 0
		}
		if err := fn(seq, rec, more); err != nil {
			return at, stopped{err}
		}
	}
	if more || seq != r.last+1 {
		return at, fmt.Errorf("the batch ends at record %d, not at %d with a whole append", seq-1, r.last)
	}
	return at, nil
}

// stopped is an error of whoever reads, not of what is read.
type stopped struct{ error }

// settle counts the reserve of one whole Append. What is given back beyond what
// was asked for is not room.
func settle(reserved, net int64) int64 { return max(0, reserved+net) }

// room is what is reserved, counted twice: as the rows have it, whose seals a purge
// does not change, and without what it gave back.
type room struct{ sealed, real int64 }

func (r room) settle(net int64) room { return room{settle(r.sealed, net), settle(r.real, net)} }
