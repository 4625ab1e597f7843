// SPDX-License-Identifier: Apache-2.0

package segment

// room is the space on blocks that the files already have, counted in bytes of
// records. Seals and headers are not in it.
type room struct {
	left   int64   // in the segment that is written
	spares []int64 // in each segment behind it
	waste  int64   // the most that an Append can leave unused at the end of a segment
}

// usable is how many bytes of records a file of size holds.
func usable(size int64) int64 { return size - headerSize - sealSize }

// holds says whether Appends of need bytes together fit, however they are cut:
// at the end of each segment but the last one needed, the most is wasted.
func (r room) holds(need int64) bool {
	sure := int64(0)
	left := r.left
	for _, spare := range r.spares {
		if need <= sure+left {
			return true
		}
		sure += max(0, left-r.waste)
		left = spare
	}
	return need <= sure+left
}

// take is the room that is left after an Append of size; false when it does
// not fit. The spare it goes to, if any, becomes the segment that is written.
func (r room) take(size int64) (room, bool) {
	if size <= r.left {
		r.left -= size
		return r, true
	}
	if len(r.spares) == 0 || size > r.spares[0] {
		return r, false
	}
	r.left, r.spares = r.spares[0]-size, r.spares[1:]
	return r, true
}

// free is about how much new payments may still use beyond what is reserved.
func (r room) free(reserved int64) int64 {
	sum := r.left
	for _, spare := range r.spares {
		sum += spare - r.waste
	}
	return max(0, sum-reserved)
}
