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
// than that, and checks it. Give the result to ReadBody.
func (f Format) ReadLength(r io.Reader) (int, error) {
	return f.readLength(r, nil)
}

func (f Format) readLength(r io.Reader, buf []byte) (int, error) {
	size := f.Length.size()
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
	n, ok := f.Length.decode(p)
	if !ok {
		return 0, &Error{Reason: ReasonLengthNotDigits}
	}
	return n, f.check(n)
}

// ReadBody reads the n bytes of a frame whose length ReadLength gave.
func (f Format) ReadBody(r io.Reader, n int, buf []byte) (Frame, []byte, error) {
	if err := f.check(n); err != nil {
		return Frame{}, buf, err
	}
	if cap(buf) < n {
		buf = make([]byte, n)
	}
	p := buf[:n]
	if got, err := io.ReadFull(r, p); err != nil {
		return Frame{}, buf, inside(ReasonEndInFrame, n, got, err)
	}
	fr, err := f.Split(p)
	return fr, buf, err
}

// Split takes the bytes of one frame, without its length, apart; fr aliases p.
func (f Format) Split(p []byte) (fr Frame, err error) {
	if err := f.check(len(p)); err != nil {
		return Frame{}, err
	}
	if f.TPDU {
		p = p[copy(fr.TPDU[:], p):]
	}
	fr.Header, fr.Body = p[:f.Header:f.Header], p[f.Header:]
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
