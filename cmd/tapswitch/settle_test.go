// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

// settle asks the terminal to settle and gives what came of it.
func (r *rig) settle(outcome, batch string) event {
	r.t.Helper()
	from := r.terminal.mark()
	r.terminal.say("settle")
	e := r.terminal.await(from, "settlement", named("settlement", "error"))
	if e.text("outcome") != outcome || e.text("batch") != batch {
		r.t.Fatalf("settled: %v, want %s of batch %s", e, outcome, batch)
	}
	return e
}

// TestSettlement: a merchant's days over the real programs. The first is balanced.
// In the second the switch is killed and the terminal loses power; it is balanced.
// In the third the terminal is replaced by one that knows of nothing: the switch's
// payment is a case for a person, and both go on with the fourth.
func TestSettlement(t *testing.T) {
	t.Parallel()
	r := raise(t)
	r.expect("unionpay", 700, "", "approved", "00")
	r.expect("unionpay", 300, "", "approved", "00")
	from := r.terminal.mark()
	r.terminal.say("reverse")
	r.terminal.await(from, "reversal", named("reversal"))
	if e := r.settle("balanced", "000001"); e.text("next") != "000002" {
		t.Errorf("%v", e)
	}

	r.expect("unionpay", 1100, "", "approved", "00")
	r.sw.kill()
	r.terminal.kill()
	r.startSwitch()
	r.startTerminal()
	r.expect("unionpay", 1200, "", "approved", "00")
	r.settle("balanced", "000002")

	r.expect("unionpay", 1300, "", "approved", "00")
	r.terminal.stop()
	if err := os.RemoveAll(r.path("terminal")); err != nil {
		t.Fatal(err)
	}
	r.startTerminal()
	if e := r.settle("uploaded", "000003"); e.number("uploaded") != 0 {
		t.Errorf("%v", e)
	}
	r.expect("unionpay", 1400, "", "approved", "00")

	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"batch", "list"}, `TERMINAL  BATCH   STATE     PAYMENTS  DEBITS  SUM   CREDITS  SUM  CASES  SINCE
10000001  000001  balanced  2         1       700   0        0    0      AT
10000001  000002  balanced  2         2       2300  0        0    0      AT
10000001  000003  uploaded  1         1       1300  0        0    1      AT
10000001  000004  open      1         1       1400  0        0    0      
`},
		{[]string{"batch", "list", "--state", "uploaded", "-o", "json"}, `{"terminal":"10000001","merchant":"104110059990001","batch":3,"state":"uploaded","payments":1,` +
			`"now":{"debits":1,"debit_minor":1300,"credits":0,"credit_minor":0},"told":{"debits":1,"debit_minor":1300,"credits":0,"credit_minor":0},` +
			`"theirs":{"debits":0,"debit_minor":0,"credits":0,"credit_minor":0},"since":"AT","cases":1}` + "\n"},
		{[]string{"batch", "show", "10000001", "1"}, `terminal 10000001, merchant 104110059990001, batch 000001: balanced since AT
now     1 debits 700, 0 credits 0
told    1 debits 700, 0 credits 0
theirs  1 debits 700, 0 credits 0

TRACE   CLASS     STATE     COUNTS  CARD              AMOUNT  CODE  RRN
000002  purchase  approved  debit   622424******0069  700     00    RRN
000003  purchase  reversed  none    622424******0069  300     00    RRN
`},
		{[]string{"batch", "show", "10000001", "000003"}, `terminal 10000001, merchant 104110059990001, batch 000003: uploaded since AT
now     1 debits 1300, 0 credits 0
told    1 debits 1300, 0 credits 0
theirs  0 debits 0, 0 credits 0

TRACE   CLASS     STATE     COUNTS  CARD              AMOUNT  CODE  RRN
TRACE  purchase  approved  debit   622424******0069  1300    00    RRN

UPLOADED  VERDICT                 CARD              AMOUNT
TRACE    upload_payment_missing  622424******0069  1300
`},
		{[]string{"txn", "cases"}, `OPENED                WHY                     CODE  TERMINAL  BATCH   TRACE   CLASS   CARD              AMOUNT  CURRENCY  LINK  STAN    RRN
AT  upload_payment_missing        10000001  000003  TRACE  upload  622424******0069  1300    000             000000  
`},
	} {
		e := call(t, append(c.args, "--journal", r.path("journal"))...)
		if e.code != 0 || unmarked(e.stdout) != unmarked(c.want) {
			t.Errorf("%v: %+v, want\n%s", c.args, e, c.want)
		}
	}
	for _, bad := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"batch", "show", "10000001", "99", "--journal", r.path("journal")}, 1, "no batch 000099"},
		{[]string{"batch", "show", "10000001", "x", "--journal", r.path("journal")}, 2, "up to six digits"},
		{[]string{"batch", "list"}, 2, "name one journal"},
		{[]string{"batch", "list", "--state", "shut", "--journal", "j"}, 2, "there are"},
		{[]string{"batch", "list", "-o", "xml", "--journal", "j"}, 2, "table or json"},
	} {
		if e := call(t, bad.args...); e.code != bad.code || !strings.Contains(e.stderr, bad.says) {
			t.Errorf("%v: %+v", bad.args, e)
		}
	}
	r.closesTheCase()
	r.strike()
}

// closesTheCase closes the one case of the upload in the running switch, which is killed right after.
func (r *rig) closesTheCase() {
	r.t.Helper()
	list := func() string { return call(r.t, "txn", "cases", "-o", "json", "--journal", r.path("journal")).stdout }
	var open struct {
		Trace int `json:"trace"`
	}
	if err := json.Unmarshal([]byte(list()), &open); err != nil {
		r.t.Fatal(err)
	}
	name := []string{"txn", "cases", "close", "--terminal", "10000001", "--batch", "3", "--trace", fmt.Sprint(open.Trace), "--reason", "voucher found at the till", "--by", "Ann Lee", "--config", r.path("switch.yaml")}
	if e := call(r.t, append(name, "--found", "stands")...); e.code != 2 || !strings.Contains(e.stderr, "no payment moves") {
		r.t.Errorf("%+v", e)
	}
	if e := call(r.t, name...); e.code != 0 || e.stdout != fmt.Sprintf("settled: upload_payment_missing of terminal 10000001 batch 000003 trace %06d is closed\n", open.Trace) {
		r.t.Errorf("%+v", e)
	}
	r.sw.kill()
	if got := list(); got != "" {
		r.t.Errorf("open after a close: %s", got)
	}
	r.startSwitch()
	if e := call(r.t, name...); e.code != 1 || !strings.Contains(e.stderr, "no case of an upload is open") {
		r.t.Errorf("%+v", e)
	}
	if e := call(r.t, "batch", "list", "--state", "uploaded", "-o", "json", "--journal", r.path("journal")); !strings.Contains(e.stdout, `"cases":0`) {
		r.t.Errorf("%+v", e)
	}
	if e := call(r.t, "journal", "dump", "--kind", "upload_closed", r.path("journal")); e.code != 0 || !strings.Contains(e.stdout, "1 cases settled") || !strings.Contains(e.stdout, "Ann Lee: voucher found at the till") {
		r.t.Errorf("%+v", e)
	}
}

// unmarked takes out what no two runs have in common: times, reference and trace
// numbers, and the width that these give to columns.
func unmarked(s string) string {
	for _, c := range [][2]string{{`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`, "AT"}, {`\b\d{12}\b`, "RRN"}, {`(?m)^0000\d\d\b`, "TRACE"}, {`000003  0000\d\d `, "000003  TRACE "}, {` +`, " "}} {
		s = regexp.MustCompile(c[0]).ReplaceAllString(s, c[1])
	}
	return s
}
