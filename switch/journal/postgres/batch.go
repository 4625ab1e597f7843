// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"tapswitch/switch/journal"
)

// chain is the value that binds a batch to all before it.
type chain [sha256.Size]byte

// row is one batch as it is stored.
type row struct {
	first, last uint64
	reserved    int64 // outstanding behind it
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

// each walks the records of a body and gives the reserve behind them.
func (r *row) each(reserved int64, fn func(seq uint64, rec journal.Record) error) (int64, error) {
	b, net, more := r.body, int64(0), false
	seq := r.first
	for ; len(b) > 0; seq++ {
		if len(b) < headSize || b[0] != version || b[1]&^flagMore != 0 {
			return 0, fmt.Errorf("record %d is not of version %d", seq, version)
		}
		key, body := int(b[3]), int(binary.BigEndian.Uint32(b[4:]))
		if body > journal.MaxBody || len(b) < headSize+key+body {
			return 0, fmt.Errorf("record %d is longer than its batch", seq)
		}
		rec := journal.Record{Kind: b[2], Reserve: int(int32(binary.BigEndian.Uint32(b[8:])))}
		more = b[1] == flagMore
		rec.Key, rec.Body = b[headSize:][:key:key], b[headSize+key:][:body:body]
		b = b[headSize+key+body:]
		if net += int64(rec.Reserve); !more {
			reserved, net = settle(reserved, net), 0
		}
		if fn == nil {
			continue
		}
		if err := fn(seq, rec); err != nil {
			return 0, stopped{err}
		}
	}
	if more || seq != r.last+1 {
		return 0, fmt.Errorf("the batch ends at record %d, not at %d with a whole append", seq-1, r.last)
	}
	return reserved, nil
}

// stopped is an error of whoever reads, not of what is read.
type stopped struct{ error }

// settle counts the reserve of one whole Append. What is given back beyond what
// was asked for is not room.
func settle(reserved, net int64) int64 { return max(0, reserved+net) }
