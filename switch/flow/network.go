// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"context"

	"tapswitch/switch/txn"
)

// SignOn gives a terminal a new set of working keys under its master key. It
// is not authenticated: whoever asks without the master key gets nothing of
// use, and the old set lives until the terminal uses the new one. One whose batch
// is closed is told its next.
func (f *Flow) SignOn(ctx context.Context, in *txn.Request) (ans txn.Answer, keys Keys) {
	r := f.report(ctx, in)
	defer func() { r.end(ans) }()
	leave, err := f.Admission.Enter(in.Key.Class)
	if err != nil {
		return f.refuse(err), Keys{}
	}
	defer leave()
	if keys, err = f.Terminals.SignOn(ctx, in); err != nil {
		return f.refuse(err), Keys{}
	}
	return txn.Answer{Code: txn.CodeApproved, At: f.Clock.Now(), Batch: f.Batches.Current(in.Key.BatchID())}, keys
}

// Network answers echo and sign-off.
func (f *Flow) Network(ctx context.Context, in *txn.Request) (ans txn.Answer) {
	r := f.report(ctx, in)
	defer func() { r.end(ans) }()
	if err := f.Terminals.Known(in); err != nil {
		return f.refuse(err)
	}
	return txn.Answer{Code: txn.CodeApproved, At: f.Clock.Now()}
}

// Refuse answers a request that could not be understood or is not built.
func (f *Flow) Refuse(ctx context.Context, in *txn.Request, err error) (ans txn.Answer) {
	defer in.Card.Wipe()
	r := f.report(ctx, in)
	defer func() { r.end(ans) }()
	return f.refuse(err)
}
