// SPDX-License-Identifier: Apache-2.0

package clear

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"tapswitch/hsm"
	"tapswitch/internal/secret"
)

const testPAN = "2222242300000009"

func pan(t *testing.T) secret.PAN {
	t.Helper()
	p, err := secret.NewPAN([]byte(testPAN))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// turn is a cipher that turns every bit; bad fails at the n-th call.
func turn(_ bool, block []byte) error {
	for i := range block {
		block[i] = ^block[i]
	}
	return nil
}

var errCipher = errors.New("cipher fails")

func bad(n int) Cipher {
	return func(encipher bool, block []byte) error {
		if n--; n == 0 {
			return errCipher
		}
		return turn(encipher, block)
	}
}

func typed(t *testing.T, r *Room, digits string) {
	t.Helper()
	k, err := secret.NewKey([]byte(digits))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.TypePIN(k); err != nil {
		t.Fatal(err)
	}
}

func TestRoomIsWipedAndUsable(t *testing.T) {
	r, err := New()
	if err != nil {
		t.Fatal(err)
	}
	for f := hsm.ISO0; f <= hsm.ISO4; f++ {
		if f == hsm.ISO2 {
			continue
		}
		typed(t, r, "987654321")
		made, err := r.WritePIN(turn, hsm.PINTarget{Format: f, PAN: pan(t)}, [8]byte{1, 2, 3})
		if err != nil {
			t.Fatal(f, err)
		}
		block, err := secret.NewPINBlock(made)
		if err != nil {
			t.Fatal(err)
		}
		r.Wipe()
		if !bytes.Equal(r.mem, make([]byte, pageSize)) {
			t.Fatalf("%s: room holds something after Wipe", f)
		}
		if err := r.ReadPIN(turn, hsm.EncipheredPIN{Block: block, Format: f, PAN: pan(t)}); err != nil || string(r.digits()) != "987654321" {
			t.Fatalf("%s: read back: %v", f, err)
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestLotIsWiped(t *testing.T) {
	r, err := New()
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{8, 512, pageSize, 16} {
		lot := r.Lot(n)
		for i := range lot {
			lot[i] = 0xA5
		}
		if r.Wipe(); !bytes.Equal(r.mem, make([]byte, pageSize)) {
			t.Fatalf("room holds something of a lot of %d bytes after Wipe", n)
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestRoomRefuses: formats without a way through the Room, whatever calls it.
func TestRoomRefuses(t *testing.T) {
	r := Unlocked()
	block, _ := secret.NewPINBlock([]byte{0x24, 0x12, 0x34, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF})
	for _, f := range []hsm.PINFormat{0, hsm.ISO2, hsm.ISO4 + 1} {
		if err := r.ReadPIN(turn, hsm.EncipheredPIN{Block: block, Format: f}); !errors.Is(err, hsm.ErrPINFormat) {
			t.Errorf("read %s: %v, want ErrPINFormat", f, err)
		}
		typed(t, r, "1234")
		if _, err := r.WritePIN(turn, hsm.PINTarget{Format: f}, [8]byte{}); !errors.Is(err, hsm.ErrPINFormat) {
			t.Errorf("write %s: %v, want ErrPINFormat", f, err)
		}
	}
	if _, err := r.WritePIN(turn, hsm.PINTarget{Format: hsm.ISO0}, [8]byte{}); !errors.Is(err, hsm.ErrInput) {
		t.Errorf("write ISO-0 without a card: %v, want ErrInput", err)
	}
}

// TestRoomCipherFails fails the n-th cipher operation of every way, for every n.
func TestRoomCipherFails(t *testing.T) {
	rule := hsm.OffsetRule{Table: [16]byte([]byte("0123456789012345")), Length: 16, Pad: 'F'}
	r := Unlocked()
	typed(t, r, "1234")
	made, err := r.WritePIN(turn, hsm.PINTarget{Format: hsm.ISO4, PAN: pan(t)}, [8]byte{})
	if err != nil {
		t.Fatal(err)
	}
	block, _ := secret.NewPINBlock(made)
	n := 0
	for name, way := range map[string]struct {
		calls int
		do    func(c Cipher) error
	}{
		"read": {2, func(c Cipher) error {
			return r.ReadPIN(c, hsm.EncipheredPIN{Block: block, Format: hsm.ISO4, PAN: pan(t)})
		}},
		"write": {2, func(c Cipher) error {
			_, err := r.WritePIN(c, hsm.PINTarget{Format: hsm.ISO4, PAN: pan(t)}, [8]byte{})
			return err
		}},
		"pvv":    {1, func(c Cipher) error { _, err := r.PVV(c, pan(t), '1'); return err }},
		"offset": {1, func(c Cipher) error { _, err := r.Offset(c, pan(t), rule); return err }},
	} {
		for at := 1; at <= way.calls; at++ {
			r.Wipe()
			typed(t, r, "1234")
			if err := way.do(bad(at)); !errors.Is(err, errCipher) {
				t.Errorf("%s, call %d: %v", name, at, err)
			}
			n++
		}
		r.Wipe()
		typed(t, r, "1234")
		if err := way.do(bad(way.calls + 1)); err != nil {
			t.Errorf("%s: more than %d calls: %v", name, way.calls, err)
		}
	}
	if n != 6 {
		t.Errorf("%d failures were tried", n)
	}
}

// TestNothingButThePINStays: neither the clear block nor a natural PIN is left
// behind by what used it, and a refused block leaves nothing at all.
func TestNothingButThePINStays(t *testing.T) {
	r := Unlocked()
	typed(t, r, "987654321")
	rule := hsm.OffsetRule{Table: [16]byte([]byte("0123456789012345")), Length: 16, Pad: 'F'}
	if _, err := r.Offset(turn, pan(t), rule); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(r.mem[:pinAt], make([]byte, pinAt)) || !bytes.Equal(r.mem[fieldAt:], make([]byte, used-fieldAt)) {
		t.Error("a natural PIN is left in the room")
	}
	made, err := r.WritePIN(turn, hsm.PINTarget{Format: hsm.ISO0, PAN: pan(t)}, [8]byte{})
	if err != nil {
		t.Fatal(err)
	}
	block, _ := secret.NewPINBlock(made)
	r.Wipe()
	if err := r.ReadPIN(turn, hsm.EncipheredPIN{Block: block, Format: hsm.ISO3, PAN: pan(t)}); !errors.Is(err, hsm.ErrPINBlock) {
		t.Fatalf("ISO-0 as ISO-3: %v, want ErrPINBlock", err)
	}
	if !bytes.Equal(r.mem, make([]byte, used)) {
		t.Error("a refused block is left in the room")
	}
}

func TestCombine(t *testing.T) {
	key := func(s string) secret.Key {
		k, err := secret.NewKey([]byte(s))
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	for _, c := range []struct {
		name string
		size int
		in   []secret.Key
		want string
		err  error
	}{
		{"two components", 16, []secret.Key{key("AAAAAAAAAAAAAAAA"), key("BBBBBBBBBBBBBBBB")}, strings.Repeat("\x03", 16), nil},
		{"single DES becomes K‖K", 16, []secret.Key{key("12345678")}, "1234567812345678", nil},
		{"none", 16, nil, "", hsm.ErrInput},
		{"short", 16, []secret.Key{key("1234")}, "", hsm.ErrInput},
		{"unequal", 16, []secret.Key{key("AAAAAAAAAAAAAAAA"), key("12345678")}, "", hsm.ErrInput},
		{"AES-256 of 8 bytes", 32, []secret.Key{key("12345678")}, "", hsm.ErrInput},
	} {
		r := Unlocked()
		err := r.Combine(c.in, c.size)
		if !errors.Is(err, c.err) {
			t.Errorf("%s: error %v, want %v", c.name, err, c.err)
		}
		if err == nil && string(r.Key(c.size)) != c.want {
			t.Errorf("%s: wrong key", c.name)
		}
	}
}

// TestLockRefusedIsSaid runs itself with no memory to lock and no privilege.
func TestLockRefusedIsSaid(t *testing.T) {
	if os.Getenv("CLEAR_TEST_NO_LOCK") != "" {
		if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{}); err != nil {
			t.Fatal(err)
		}
		_, err := New()
		if !errors.Is(err, ErrLock) || !strings.Contains(err.Error(), "RLIMIT_MEMLOCK") {
			t.Fatalf("New with no memory to lock: %v", err)
		}
		return
	}
	binary := t.TempDir() + "/clear.test"
	self, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(binary, self, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "-test.run", "^TestLockRefusedIsSaid$")
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), "CLEAR_TEST_NO_LOCK=1")
	if os.Getuid() == 0 { // root may lock whatever the limit says
		for dir := binary; dir != "/" && dir != os.TempDir(); dir = dir[:strings.LastIndexByte(dir, '/')] {
			if err := os.Chmod(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
