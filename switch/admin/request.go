// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"tapswitch/switch/txn"
)

// Version is that of the form of requests and replies.
const Version = 1

// The bounds of a request and of a reply, in bytes with their line's end, and of a
// list.
const (
	RequestMax = 2048
	replyMax   = 8 << 20
	ListMax    = 1000
)

// List asks for what waits; every other verb is the name of a deed.
const List = "list"

// Request is what an operator asks for.
type Request struct {
	Version int    `json:"v"`
	Do      string `json:"do"`              // List, or the name of a txn.Deed
	RRN     string `json:"rrn,omitempty"`   // of the payment; not with List
	By      string `json:"by,omitempty"`    // who; not with List
	Why     string `json:"why,omitempty"`   // not with List
	Link    string `json:"link,omitempty"`  // List: of this link alone
	Limit   int    `json:"limit,omitempty"` // List: at most so many, 0 is ListMax
	Upload  Upload `json:"upload,omitzero"` // Settled, in the place of a payment
}

// ParseRequest reads a request and holds it to its form.
func ParseRequest(line []byte) (r Request, err error) {
	if len(line) > RequestMax {
		return r, fmt.Errorf("the request has more than %d bytes", RequestMax)
	}
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return Request{}, errors.New("the request is not one JSON object of the known fields")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Request{}, errors.New("something follows the request")
	}
	return r, r.check()
}

func (r Request) check() error {
	if r.Version != Version {
		return fmt.Errorf("the request is of version %d, this switch speaks version %d: use the command of the same version", r.Version, Version)
	}
	if r.Do == List {
		switch {
		case r.RRN+r.By+r.Why != "":
			return errors.New("a list has no payment, name or reason")
		case r.Limit < 0 || r.Limit > ListMax:
			return fmt.Errorf("a list has at most %d lines", ListMax)
		case len(r.Link) > 64:
			return errors.New("no link has such a name")
		case r.Upload != Upload{}:
			return errors.New("a list has no batch")
		}
		return nil
	}
	a := r.Act()
	switch {
	case !a.What.Known():
		return errors.New("what is asked for is not known to this version")
	case r.Link != "" || r.Limit != 0:
		return errors.New("an act has no link or limit")
	case a.What == txn.Settled && r.RRN != "":
		return errors.New("the cases of an upload are of a batch, not of one payment")
	case a.What == txn.Settled:
		if err := r.Upload.check(); err != nil {
			return err
		}
	case r.Upload != Upload{}:
		return errors.New("what is done to a payment has no batch")
	case !wellFormed(r.RRN, len(txn.RRN{})):
		return errors.New("a reference number has 12 digits or letters")
	}
	return a.Check()
}

// Act is what the request asks to be done; its time is not set.
func (r Request) Act() txn.Act {
	a := txn.Act{By: r.By, Why: r.Why}
	for d := txn.Deed(1); d.Known(); d++ {
		if d.String() == r.Do {
			a.What = d
		}
	}
	return a
}

// Of is the reference number of an act.
func (r Request) Of() (n txn.RRN) {
	copy(n[:], r.RRN)
	return n
}

// check says what is wrong with the name of an upload's cases (ISO 8583 DE 41 and 42;
// UnionPay POS numbers batches and payments with six digits).
func (u Upload) check() error {
	const most = 999_999
	switch {
	case !wellFormed(u.Terminal, len(txn.TerminalID{})):
		return errors.New("a terminal has 8 digits or letters")
	case u.Merchant != "" && !wellFormed(u.Merchant, len(txn.MerchantID{})):
		return errors.New("a merchant has 15 digits or letters")
	case u.Batch == 0 || u.Batch > most || u.Trace > most:
		return errors.New("a batch is 1 to 999999, a trace number as much, or 0 for what is about the batch itself")
	}
	return nil
}

// ID is the batch; its merchant may be all zero.
func (u Upload) ID() (id txn.BatchID) {
	copy(id.Terminal[:], u.Terminal)
	copy(id.Merchant[:], u.Merchant)
	id.Batch = u.Batch
	return id
}

// wellFormed says whether s is so many digits and letters, as ISO 8583 DE 37 is 12.
func wellFormed(s string, long int) bool {
	if len(s) != long {
		return false
	}
	for _, c := range s {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

// Reply is the answer to a request.
type Reply struct {
	Version int    `json:"v"`
	Error   string `json:"error,omitempty"` // the word of a Refusal, empty when it was carried out
	Text    string `json:"text,omitempty"`  // of a Refusal
	Items   []Item `json:"items,omitempty"` // List
	More    int    `json:"more,omitempty"`  // List: so many were left out
	Item    *Item  `json:"item,omitempty"`  // of an act: how the payment stands now
	Cases   []Case `json:"cases,omitempty"` // of Settled: what was closed
}
