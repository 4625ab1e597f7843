// SPDX-License-Identifier: Apache-2.0

package segment

import "bytes"

// bad is a record that is none.
type bad struct {
	fault error
	hole  bool  // a sector's part of it never reached the disk, or it is being cut
	end   int64 // where it ends, or at least its head
}

// judge looks for holes in the bytes of a bad record.
func (r *reader) judge(b []byte, reason string) *bad {
	return &bad{fault: r.fault(r.at, "%s", reason), hole: b[0] == 0 || hole(b, r.at), end: r.at + int64(len(b))}
}

// hole says whether a sector's part of b, which lies at offset at, is all zeros.
func hole(b []byte, at int64) bool {
	for len(b) > 0 {
		n := min(int64(len(b)), sectorSize-at%sectorSize)
		if zero(b[:n]) {
			return true
		}
		b, at = b[n:], at+n
	}
	return false
}

// tail is the end of the last segment: records end at cut, and bytes up to
// dirty are not zero.
type tail struct {
	cut, dirty int64
}

// tail says what follows the last good record of the last segment: nothing, or
// the torn end of the last batch. Torn is a record with a hole, or one that
// stops short with nothing behind it. A record of a later batch proves that
// what is missing was durable once.
func (r *reader) tail(wrong *bad) (tail, error) {
	t := tail{cut: r.group, dirty: r.at}
	later := int64(0)
	for at := r.at; at < r.size; at += scanStep {
		n := int(min(scanStep+headSize, r.size-at))
		b, err := r.win.at(at, n)
		if err != nil {
			return tail{}, err
		}
		if len(b) < n {
			return tail{}, r.fault(at+int64(len(b)), "the file ends early")
		}
		if end := lastByte(b); end > 0 {
			t.dirty = at + int64(end)
		}
		if later == 0 {
			later = r.laterBatch(b, at)
		}
	}
	if wrong != nil && !wrong.hole && t.dirty >= wrong.end {
		return tail{}, wrong.fault
	}
	if later != 0 {
		return tail{}, r.fault(r.at, "records are missing here, but byte %d was written after them", later)
	}
	return t, nil
}

// scanStep is how far a search for later records goes at a time, a multiple of
// align that leaves room in the window for the head at its end.
const scanStep = windowSize / 2

// laterBatch finds a record whose batch begins behind r.at, 0 when none does.
func (r *reader) laterBatch(b []byte, at int64) int64 {
	for i := 0; i+headSize <= len(b); i += align {
		if zero(b[i : i+align]) {
			continue
		}
		h, ok := decodeHead(b[i:], r.seed)
		if pos := at + int64(i); ok && pos-int64(h.batch) > r.at {
			return pos
		}
	}
	return 0
}

// lastByte is the number of bytes up to the last one that is not zero.
func lastByte(b []byte) int { return len(bytes.TrimRight(b, "\x00")) }
