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

var account = hsm.Account12([]byte("222423000000"))

func TestRoomIsWipedAndUsable(t *testing.T) {
	r, err := New()
	if err != nil {
		t.Fatal(err)
	}
	pin, _ := secret.NewKey([]byte("1234"))
	if err := r.EncodePIN(pin, account); err != nil {
		t.Fatal(err)
	}
	if err := r.CheckBlock(account); err != nil {
		t.Fatal(err)
	}
	other := account
	other[5] = '9' // the first two account digits only shift PIN digits
	if err := r.CheckBlock(other); !errors.Is(err, hsm.ErrPINBlock) {
		t.Fatalf("block of another account: %v, want ErrPINBlock", err)
	}
	ref := hsm.PVV{Index: '1', Account: [11]byte([]byte("12345678901"))}
	if err := r.BlockToTSP(account, ref); err != nil {
		t.Fatal(err)
	}
	if got, want := *r.Block(), [8]byte{0x12, 0x34, 0x56, 0x78, 0x90, 0x11, 0x12, 0x34}; got != want {
		t.Fatalf("TSP %x, want %x", got, want)
	}
	r.Wipe()
	if !bytes.Equal(r.mem, make([]byte, pageSize)) {
		t.Fatal("room holds something after Wipe")
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestPINDigitsGoEvenWhenTheBlockStays(t *testing.T) {
	r := Unlocked()
	pin, _ := secret.NewKey([]byte("987654321"))
	if err := r.EncodePIN(pin, account); err != nil {
		t.Fatal(err)
	}
	if err := r.CheckBlock(account); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(r.mem[pinAt:keyAt], make([]byte, keyAt-pinAt)) {
		t.Fatal("PIN digits are left in the room after a check")
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
