// SPDX-License-Identifier: Apache-2.0

package p11chaos

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	p11 "github.com/miekg/pkcs11"
)

const softHSM = "/usr/lib/softhsm/libsofthsm2.so"

// rig is a SoftHSM token behind the module, with a session and a key.
type rig struct {
	*testing.T
	c       *Chaos
	ctx     *p11.Ctx
	slot    uint
	session p11.SessionHandle
	key     p11.ObjectHandle
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// open initialises a token through the module; there is one module a process.
func open(t *testing.T) *rig {
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "tokens"), 0o700))
	conf := filepath.Join(dir, "softhsm2.conf")
	must(t, os.WriteFile(conf, fmt.Appendf(nil, "directories.tokendir = %s/tokens\nlog.level = ERROR\n", dir), 0o600))
	t.Setenv("SOFTHSM2_CONF", conf)
	c, err := New(dir, softHSM)
	must(t, err)
	r := &rig{T: t, c: c, ctx: p11.New(c.Module)}
	if r.ctx == nil {
		t.Fatal("the module cannot be loaded")
	}
	must(t, r.ctx.Initialize())
	slots, err := r.ctx.GetSlotList(false)
	must(t, err)
	must(t, r.ctx.InitToken(slots[0], "so-1234", "chaos"))
	slots, err = r.ctx.GetSlotList(true)
	must(t, err)
	r.slot = slots[0]
	session, err := r.ctx.OpenSession(r.slot, p11.CKF_SERIAL_SESSION|p11.CKF_RW_SESSION)
	must(t, err)
	must(t, r.ctx.Login(session, p11.CKU_SO, "so-1234"))
	must(t, r.ctx.InitPIN(session, "user-1234"))
	must(t, r.ctx.Logout(session))
	must(t, r.ctx.CloseSession(session))
	r.login()
	t.Cleanup(func() {
		must(t, c.Tell())
		must(t, r.ctx.Finalize())
		r.ctx.Destroy()
	})
	return r
}

// login opens a session and makes a key on it.
func (r *rig) login() {
	r.Helper()
	var err error
	r.session, err = r.ctx.OpenSession(r.slot, p11.CKF_SERIAL_SESSION|p11.CKF_RW_SESSION)
	must(r, err)
	must(r, r.ctx.Login(r.session, p11.CKU_USER, "user-1234"))
	r.key, err = r.ctx.CreateObject(r.session, []*p11.Attribute{
		p11.NewAttribute(p11.CKA_CLASS, p11.CKO_SECRET_KEY), p11.NewAttribute(p11.CKA_KEY_TYPE, p11.CKK_DES2),
		p11.NewAttribute(p11.CKA_TOKEN, false), p11.NewAttribute(p11.CKA_ENCRYPT, true), p11.NewAttribute(p11.CKA_VALUE, []byte("0123456789abcdef")),
	})
	must(r, err)
}

func (r *rig) tell(rules ...string) {
	r.Helper()
	must(r, r.c.Tell(rules...))
}

func (r *rig) encrypt() (string, error) {
	if err := r.ctx.EncryptInit(r.session, []*p11.Mechanism{p11.NewMechanism(p11.CKM_DES3_ECB, nil)}, r.key); err != nil {
		return "", err
	}
	out, err := r.ctx.Encrypt(r.session, make([]byte, 8))
	return string(out), err
}

// want makes one encryption and compares its end.
func (r *rig) want(code uint, why string) {
	r.Helper()
	_, err := r.encrypt()
	if code == p11.CKR_OK && err != nil || code != p11.CKR_OK && !errors.Is(err, p11.Error(code)) {
		r.Errorf("%s: %v, want %v", why, err, p11.Error(code))
	}
}

func (r *rig) counters() Counters {
	r.Helper()
	n, err := r.c.Counters()
	must(r, err)
	return n
}

// TestFaults goes through the words of the control file, one after the other:
// after each the module behaves again.
func TestFaults(t *testing.T) {
	r := open(t)
	good, err := r.encrypt()
	must(t, err)

	r.tell("fail C_EncryptInit 2 0x32")
	r.want(p11.CKR_OK, "first call")
	r.want(p11.CKR_DEVICE_REMOVED, "second call")
	r.want(p11.CKR_OK, "third call")

	r.tell("# all calls together: Init, Encrypt for the length, Encrypt, Init", "fail * 4 0x30")
	r.want(p11.CKR_OK, "calls 1 to 3")
	r.want(p11.CKR_DEVICE_ERROR, "call 4")
	r.want(p11.CKR_OK, "calls 5 to 7")

	r.tell("spoil C_Encrypt 0")
	if got, err := r.encrypt(); err != nil || got == good {
		t.Errorf("spoilt: %v, the same: %v", err, got == good)
	}
	r.tell()
	if got, err := r.encrypt(); err != nil || got != good {
		t.Errorf("without rules: %v, the same: %v", err, got == good)
	}

	r.tell("logout")
	r.want(p11.CKR_OBJECT_HANDLE_INVALID, "logged out: private objects are gone")
	must(t, r.ctx.Login(r.session, p11.CKU_USER, "user-1234"))

	r.tell("lose")
	r.want(p11.CKR_SESSION_HANDLE_INVALID, "sessions lost")
	r.login()
	r.want(p11.CKR_OK, "new session")

	r.tell("vanish")
	r.want(p11.CKR_DEVICE_REMOVED, "token gone")
	if slots, err := r.ctx.GetSlotList(true); err != nil || len(slots) != 0 {
		t.Errorf("token gone: %d slots, %v", len(slots), err)
	}
	r.tell()
	r.want(p11.CKR_SESSION_HANDLE_INVALID, "token back, session lost")
	r.login()
	r.want(p11.CKR_OK, "token back")
}

// TestDelays: latency and hangs; a hang ends when it is told to.
func TestDelays(t *testing.T) {
	r := open(t)
	r.tell("latency C_Encrypt 0 20000", "hang C_EncryptInit 2 30")
	for call, least := range []time.Duration{20 * time.Millisecond, 50 * time.Millisecond} {
		from := time.Now()
		r.want(p11.CKR_OK, "delayed")
		if took := time.Since(from); took < least {
			t.Errorf("call %d took %v, want at least %v", call+1, took, least)
		}
	}
	r.tell("hang C_Encrypt 1 0")
	done := make(chan error)
	go func() { _, err := r.encrypt(); done <- err }()
	for r.counters().Inside == 0 {
		time.Sleep(time.Millisecond)
	}
	r.tell()
	if err := <-done; err != nil {
		t.Errorf("after the hang: %v", err)
	}
}

// TestCounters: what is made and opened is counted, and what is gone.
func TestCounters(t *testing.T) {
	r := open(t)
	before := r.counters()
	r.want(p11.CKR_OK, "counted")
	r.tell("fail C_DestroyObject 1 0x5")
	if err := r.ctx.DestroyObject(r.session, r.key); !errors.Is(err, p11.Error(p11.CKR_GENERAL_ERROR)) {
		t.Errorf("destroy: %v", err)
	}
	n := r.counters()
	if n.Calls["C_Encrypt"] != before.Calls["C_Encrypt"]+2 || n.Calls["C_DestroyObject"] != before.Calls["C_DestroyObject"]+1 || n.All != before.All+4 {
		t.Errorf("counted %v after %v", n, before)
	}
	if n.Struck != before.Struck+1 || n.Made-n.Gone != 1 || n.Opened-n.Closed != 1 || n.Inside != 0 {
		t.Errorf("counted %+v", n)
	}
	must(t, r.ctx.DestroyObject(r.session, r.key))
	must(t, r.ctx.CloseSession(r.session))
	if n := r.counters(); n.Made != n.Gone || n.Opened != n.Closed {
		t.Errorf("all gone: %+v", n)
	}
}

// TestBadSource: a compiler's complaint reaches the reader.
func TestBadSource(t *testing.T) {
	if _, err := Compile(t.TempDir(), "x", []byte("int main(void) { int unused; return 0; }\n")); err == nil {
		t.Error("a warning is no error")
	}
}
