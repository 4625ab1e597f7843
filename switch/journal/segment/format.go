// SPDX-License-Identifier: Apache-2.0

package segment

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"

	"tapswitch/internal/assert"
	"tapswitch/switch/journal"
)

// The measures of the format; see the drawing in doc.go.
const (
	version    = 1
	headerSize = 128
	headSize   = 32 // of a record
	crcSize    = 4
	chainSize  = 16
	align      = 16
	sectorSize = 512

	recordMin = headSize + align + chainSize // the least a record takes
	sealBody  = 12                           // length of the next file, number of files behind
	recordMax = headSize + journal.MaxKey + journal.MaxBody + crcSize + chainSize + align - 1
	sealSize  = recordMin

	// A record begins and ends with a byte that is not zero, so that one whose
	// end was not written and one whose begin is being cut are told from one in
	// which a byte has changed.
	beginMark = 0x5a
	endMark   = 0xa5 // of every chain value

	flagMore = 1 // the next record belongs to the same Append
	flagSeal = 2 // the segment ends here
)

// A seal is as small as a record can be. What a record takes beyond key and body keeps the contract's promise, and a
// sector cannot hold a whole header and still be torn inside.
const (
	_ = uint(journal.Overhead - (headSize + crcSize + chainSize + align - 1))
	_ = uint(sectorSize - headerSize)
	_ = uint(align - crcSize - sealBody)
	_ = uint(1<<24 - 1 - recordMax)
)

// What a segment and a checkpoint begin with.
var (
	magic     = [8]byte{'t', 's', 'w', 'j', 'r', 'n', 'l', '\n'}
	keptMagic = [8]byte{'t', 's', 'w', 'k', 'e', 'p', 't', '\n'}
)

// chain is the value that binds a record to all before it: 15 bytes of hash and
// the end mark.
type chain [chainSize]byte

// chainOf is the chain value behind b, which begins with the one before.
func chainOf(b []byte) chain {
	sum := sha256.Sum256(b)
	sum[chainSize-1] = endMark
	return chain(sum[:chainSize])
}

// identity tells one journal's files from another's.
type identity [16]byte

// header is the start of a segment.
type header struct {
	kept     bool // of a checkpoint: sequence is the last segment it stands for
	sequence uint64
	first    uint64 // number of the first record
	size     int64  // of the file
	id       identity
	before   chain // at the end of the segment before
}

func (h header) encode() []byte {
	b := make([]byte, headerSize)
	le := binary.LittleEndian
	copy(b, magic[:])
	if h.kept {
		copy(b, keptMagic[:])
	}
	le.PutUint32(b[8:], version)
	le.PutUint32(b[12:], headerSize)
	le.PutUint64(b[16:], h.sequence)
	le.PutUint64(b[24:], h.first)
	le.PutUint64(b[32:], uint64(h.size))
	copy(b[40:], h.id[:])
	copy(b[56:], h.before[:])
	le.PutUint32(b[108:], crc32.Checksum(b[:108], castagnoli()))
	c := chainOf(b[:112])
	copy(b[112:], c[:])
	return b
}

// decodeHeader gives the header and the chain value after it.
func decodeHeader(b []byte) (header, chain, error) {
	le := binary.LittleEndian
	switch {
	case !bytes.Equal(b[:8], magic[:]) && !bytes.Equal(b[:8], keptMagic[:]):
		return header{}, chain{}, fmt.Errorf("the header is missing or its magic wrong")
	case le.Uint32(b[108:]) != crc32.Checksum(b[:108], castagnoli()):
		return header{}, chain{}, fmt.Errorf("the header's checksum is wrong")
	case le.Uint32(b[8:]) != version:
		return header{}, chain{}, fmt.Errorf("format version %d, this program reads %d", le.Uint32(b[8:]), version)
	case le.Uint32(b[12:]) != headerSize:
		return header{}, chain{}, fmt.Errorf("a header of %d bytes, not %d", le.Uint32(b[12:]), headerSize)
	}
	h := header{kept: bytes.Equal(b[:8], keptMagic[:]), sequence: le.Uint64(b[16:]), first: le.Uint64(b[24:]), size: int64(le.Uint64(b[32:]))}
	copy(h.id[:], b[40:])
	copy(h.before[:], b[56:])
	if !bytes.Equal(b, h.encode()) {
		return header{}, chain{}, fmt.Errorf("the header's chain value or padding is wrong")
	}
	return h, chain(b[112:]), nil
}

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// seed is where the checksums of a segment's records begin, so that a record
// copied from another journal or segment is not taken for one of this.
func (h header) seed() uint32 {
	var b [24]byte
	copy(b[:], h.id[:])
	binary.LittleEndian.PutUint64(b[16:], h.sequence)
	if h.kept {
		b[23] |= 0x80
	}
	return crc32.Checksum(b[:], castagnoli())
}

// head is the start of a record.
type head struct {
	length  int
	body    int
	batch   int // distance from the start of the batch
	reserve int
	number  uint64
	kind    byte
	flags   byte
	key     int
}

// recordSize is what a record takes on the disk.
func recordSize(key, body int) int {
	return (headSize+key+body+crcSize+align-1)/align*align + chainSize
}

// Size is what r takes on the disk.
func Size(r journal.Record) int { return recordSize(len(r.Key), len(r.Body)) }

// encoder turns records into bytes and keeps the chain. The bytes of the
// record before are never needed again: only the chain value is kept.
type encoder struct {
	buf    []byte // begins with the chain value before it, which is not written
	seed   uint32
	number uint64 // of the next record
}

// reset empties the buffer and keeps the chain.
func (e *encoder) reset(c chain) { e.buf = append(e.buf[:0], c[:]...) }

// bytes is what is to be written.
func (e *encoder) bytes() []byte { return e.buf[chainSize:] }

// last is the chain value after everything encoded.
func (e *encoder) last() chain { return chain(e.buf[len(e.buf)-chainSize:]) }

// add encodes one record that begins batch bytes into its batch.
func (e *encoder) add(r journal.Record, flags byte, batch int) {
	if r.Reserve < math.MinInt32 || r.Reserve > math.MaxInt32 {
		assert.Fail("segment: a reserve of %d got past the check", r.Reserve)
	}
	size := Size(r)
	start := len(e.buf)
	le := binary.LittleEndian
	b := le.AppendUint32(e.buf, uint32(size)<<8|beginMark)
	b = le.AppendUint32(b, uint32(len(r.Body)))
	b = le.AppendUint32(b, uint32(batch))
	b = le.AppendUint32(b, uint32(int32(r.Reserve)))
	b = le.AppendUint64(b, e.number)
	b = append(b, r.Kind, flags, byte(len(r.Key)), 0)
	b = le.AppendUint32(b, crc32.Update(e.seed, castagnoli(), b[start:]))
	b = append(b, r.Key...)
	b = append(b, r.Body...)
	for len(b)-start < size-chainSize-crcSize {
		b = append(b, 0)
	}
	b = le.AppendUint32(b, crc32.Update(e.seed, castagnoli(), b[start:]))
	c := chainOf(b[start-chainSize:])
	e.buf = append(b, c[:]...)
	if len(e.buf)-start != size {
		assert.Fail("segment: a record of %d bytes was counted as %d", len(e.buf)-start, size)
	}
	if flags&flagSeal == 0 {
		e.number++
	}
}

// decodeHead reads a record's head; false when it is none of this segment.
func decodeHead(b []byte, seed uint32) (head, bool) {
	le := binary.LittleEndian
	if le.Uint32(b[28:]) != crc32.Update(seed, castagnoli(), b[:28]) {
		return head{}, false
	}
	h := head{
		length:  int(le.Uint32(b) >> 8),
		body:    int(le.Uint32(b[4:])),
		batch:   int(le.Uint32(b[8:])),
		reserve: int(int32(le.Uint32(b[12:]))),
		number:  le.Uint64(b[16:]),
		kind:    b[24],
		flags:   b[25],
		key:     int(b[26]),
	}
	ok := h.body <= journal.MaxBody && h.length == recordSize(h.key, h.body) && b[0] == beginMark && b[27] == 0
	return h, ok
}

// checkRecord compares a whole record, whose head is good, with its checksum
// and, unless that is proven, its place in the chain. B begins with the chain value
// before the record.
func checkRecord(b []byte, seed uint32, proven bool) (chain, error) {
	end := len(b) - chainSize
	crc := crc32.Update(seed, castagnoli(), b[chainSize:end-crcSize])
	if binary.LittleEndian.Uint32(b[end-crcSize:]) != crc {
		return chain{}, fmt.Errorf("the record's checksum is wrong")
	}
	if !proven && chainOf(b[:end]) != chain(b[end:]) {
		return chain{}, fmt.Errorf("the record does not follow the one before it")
	}
	return chain(b[end:]), nil
}
