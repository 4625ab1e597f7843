// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"context"
	"errors"
	"strings"
	"testing"

	"tapswitch/internal/env"
	"tapswitch/switch/txn"
)

const settled = `{"v":1,"do":"settled","by":"ann","why":"voucher seen","upload":{"terminal":"10000001","batch":1,"trace":2}}`

// The cases of an upload have a name of their own form, and nothing else takes it.
func TestUploadRequests(t *testing.T) {
	r, err := ParseRequest([]byte(settled))
	if err != nil || r.Upload != (Upload{Terminal: "10000001", Batch: 1, Trace: 2}) || r.Act().What != txn.Settled {
		t.Fatalf("%+v, %v", r, err)
	}
	if id := r.Upload.ID(); id.Terminal != txn.TerminalID([]byte("10000001")) || id.Merchant != (txn.MerchantID{}) || id.Batch != 1 {
		t.Errorf("%+v", id)
	}
	for from, to := range map[string]string{
		`"10000001"`:    `"1000001"`,
		`"trace":2`:     `"trace":1000000`,
		`"batch":1`:     `"batch":0`,
		`"by":"ann",`:   ``,
		`"do":"settled`: `"do":"hold`,
		`"v":1,`:        `"v":1,"rrn":"632700000007",`,

		`"trace":2}`:  `"trace":2},"link":"acq-a"`,
		`:"10000001"`: `:"10000001","merchant":"1"`,
	} {
		bad := strings.Replace(settled, from, to, 1)
		if _, err := ParseRequest([]byte(bad)); err == nil || bad == settled {
			t.Errorf("taken: %s", bad)
		}
	}
	for _, bad := range []string{`{"v":1,"do":"list","upload":{"terminal":"10000001","batch":1,"trace":0}}`,
		`{"v":1,"do":"hold","rrn":"632700000007","by":"ann","why":"x","upload":{"terminal":"10000001","batch":1,"trace":0}}`} {
		if _, err := ParseRequest([]byte(bad)); err == nil {
			t.Errorf("taken: %s", bad)
		}
	}
}

// A close goes over the socket to the desk and its cases come back; a refusal has its word.
func TestCloseUploadOverTheSocket(t *testing.T) {
	d := &counter{}
	path := serve(t, d)
	q := Request{Do: txn.Settled.String(), By: "ann", Why: "voucher seen", Upload: Upload{Terminal: "10000001", Batch: 1}}
	reply, err := Ask(context.Background(), env.Real(), path, q)
	if err != nil || len(reply.Cases) != 1 || reply.Cases[0].Upload != q.Upload || reply.Cases[0].Why != "upload_count_differs" {
		t.Errorf("%+v, %v", reply, err)
	}
	if a := d.acts[0]; a.What != txn.Settled || a.By != "ann" || a.At.IsZero() {
		t.Errorf("%+v", a)
	}
	d.err = &Refusal{Word: NoCase, Text: "none"}
	var no *Refusal
	if _, err := Ask(context.Background(), env.Real(), path, q); !errors.As(err, &no) || no.Word != NoCase {
		t.Error(err)
	}
}
