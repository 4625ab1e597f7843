// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"io"
)

// Read reads exactly one frame from r. The frame lies in buf when it is large
// enough, else in a new one; either comes back for the next call, and the frame
// is good only until then. With a nil buf nothing is held while waiting.
//
// io.EOF means that the stream ended between frames. An end or a failure inside
// one is an *Error that unwraps to io.ErrUnexpectedEOF or the reader's error.
func (f Format) Read(r io.Reader, buf []byte) (Frame, []byte, error) {
	n, err := f.readLength(r, buf)
	if err != nil {
		return Frame{}, buf, err
	}
	return f.ReadBody(r, n, buf)
}

// ReadLength reads the length of the next frame, waiting with no more memory
// than that, and checks it. Give the result to ReadBody. Where the form says no
// length it is the most that the frame may be long.
func (f Format) ReadLength(r io.Reader) (int, error) {
	return f.readLength(r, nil)
}

func (f Format) readLength(r io.Reader, buf []byte) (int, error) {
	size := f.Length.size()
	if size == 0 {
		return f.Max, nil
	}
	if cap(buf) < size {
		buf = make([]byte, size)
	}
	p := buf[:size]
	got, err := io.ReadFull(r, p)
	if err != nil {
		if got == 0 {
			return 0, err // between frames: io.EOF, a deadline, a closed connection
		}
		return 0, inside(ReasonEndInLength, size, got, err)
	}
	if f.Length == STX {
		if p[0] != stx {
			return 0, &Error{Reason: ReasonNoSTX}
		}
		return f.Max, nil
	}
	n, reason := f.Length.decode(p)
	if reason != "" {
		return 0, &Error{Reason: reason}
	}
	return n, f.check(n)
}

// ReadBody reads the n bytes of a frame whose length ReadLength gave.
func (f Format) ReadBody(r io.Reader, n int, buf []byte) (Frame, []byte, error) {
	switch f.Length {
	case STX:
		return f.readUntilETX(r, buf)
	case Body:
		return f.readAll(r, buf)
	}
	if err := f.check(n); err != nil {
		return Frame{}, buf, err
	}
	size := n + f.Length.trailer()
	if cap(buf) < size {
		buf = make([]byte, size)
	}
	p := buf[:size]
	if got, err := io.ReadFull(r, p); err != nil {
		return Frame{}, buf, inside(ReasonEndInFrame, size, got, err)
	}
	if f.Length == STXBCD2 {
		var digits [2]byte
		if err := checkTrailer(p, lrc(BCD2.append(digits[:0], n))); err != nil {
			return Frame{}, buf, err
		}
	}
	fr, err := f.Split(p[:n])
	return fr, buf, err
}

// checkTrailer looks at the last two bytes of p; sum is the check character of
// what was read before.
func checkTrailer(p []byte, sum byte) error {
	end := len(p) - 2
	if p[end] != etx {
		return &Error{Reason: ReasonNoETX, Length: end}
	}
	if sum^lrc(p[:end+1]) != p[end+1] {
		return &Error{Reason: ReasonCheckWrong, Length: end}
	}
	return nil
}

// readUntilETX reads a frame whose length nobody said: first what the shortest
// one has, then byte by byte, because the byte after it may be the next frame's.
func (f Format) readUntilETX(r io.Reader, buf []byte) (Frame, []byte, error) {
	p, size := buf[:0], f.overhead()+minBody+f.Length.trailer()
	for {
		if len(p) >= f.Max+f.Length.trailer() {
			return Frame{}, buf, &Error{Reason: ReasonTooLong, Length: len(p), Bound: f.Max}
		}
		from := len(p)
		p = grown(p, size, f.Max+f.Length.trailer())
		if cap(p) != cap(buf) {
			buf = p
		}
		if got, err := io.ReadFull(r, p[from:]); err != nil {
			return Frame{}, buf, inside(ReasonEndInFrame, len(p), from+got, err)
		}
		if at := indexETX(p[max(from-1, 0):]); at >= 0 {
			at += max(from-1, 0)
			if at < len(p)-2 {
				return Frame{}, buf, &Error{Reason: ReasonTooShort, Length: at, Bound: f.overhead() + minBody}
			}
			if at == len(p)-2 {
				break
			}
		}
		size = 1
	}
	if err := checkTrailer(p, 0); err != nil {
		return Frame{}, buf, err
	}
	fr, err := f.Split(p[:len(p)-2])
	return fr, buf, err
}

// readAll reads to the end of r. Only io.EOF is the end: what a body that was
// cut off gives is not.
func (f Format) readAll(r io.Reader, buf []byte) (Frame, []byte, error) {
	p := buf[:0]
	for idle := 0; ; idle++ {
		if len(p) > f.Max {
			return Frame{}, buf, &Error{Reason: ReasonTooLong, Length: len(p), Bound: f.Max}
		}
		from := len(p)
		p = grown(p, 1, f.Max+1)
		if cap(p) != cap(buf) {
			buf = p
		}
		got, err := r.Read(p[from:min(cap(p), f.Max+1)])
		p = p[:from+got]
		switch {
		case err == io.EOF && len(p) == 0:
			return Frame{}, buf, io.EOF
		case err == io.EOF:
			fr, err := f.Split(p)
			return fr, buf, err
		case err != nil:
			return Frame{}, buf, &Error{Reason: ReasonReadFailed, Length: len(p), Err: err}
		case got > 0:
			idle = 0
		case idle > maxIdle:
			return Frame{}, buf, &Error{Reason: ReasonReadFailed, Length: len(p), Err: io.ErrNoProgress}
		}
	}
}

// maxIdle is how often a reader may give nothing, neither bytes nor an error.
const maxIdle = 100

// grown makes p longer by n bytes; what it holds never passes most by doubling.
func grown(p []byte, n, most int) []byte {
	if size := len(p) + n; size > cap(p) {
		q := make([]byte, len(p), max(size, min(most, max(2*cap(p), 64))))
		copy(q, p)
		clear(p) // card data
		p = q
	}
	return p[:len(p)+n]
}

// Split takes the bytes of one frame, without its length, apart; fr aliases p.
func (f Format) Split(p []byte) (fr Frame, err error) {
	if err := f.check(len(p)); err != nil {
		return Frame{}, err
	}
	if f.TPDU {
		p = p[copy(fr.TPDU[:], p):]
	}
	n, err := f.split(p)
	if err != nil {
		return Frame{}, err
	}
	if len(p)-n < minBody {
		return Frame{}, &Error{Reason: ReasonTooShort, Length: len(p), Bound: n + minBody}
	}
	fr.Header, fr.Body = p[:n:n], p[n:]
	return fr, nil
}

// inside names an end of the stream in the middle; io.ReadFull says io.EOF when
// not one byte of the body came, which is still the middle of a frame.
func inside(reason string, want, got int, err error) error {
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if err != io.ErrUnexpectedEOF {
		reason = ReasonReadFailed
	}
	return &Error{Reason: reason, Length: got, Bound: want, Err: err}
}
