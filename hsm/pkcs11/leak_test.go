// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"bufio"
	"bytes"
	"crypto/des"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"tapswitch/hsm"
	"tapswitch/hsm/pinblock"
	"tapswitch/internal/secret"
)

// needles are secrets that must not be found in memory: every window of eight
// bytes, kept xored with a mask, so that the list itself is not found.
type needles struct {
	mask  uint64
	names map[uint64]string
	seen  [1 << 16]bool // of the low 16 bits, to look most places up in nothing
}

func newNeedles(t *testing.T) *needles {
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		t.Fatal(err)
	}
	return &needles{mask: binary.LittleEndian.Uint64(b[:]), names: make(map[uint64]string)}
}

func (n *needles) add(name string, value []byte) {
	for i := 0; i+8 <= len(value); i++ {
		v := binary.LittleEndian.Uint64(value[i:]) ^ n.mask
		n.names[v] = name
		n.seen[uint16(v)] = true
	}
}

// find calls hit for every needle in b. The race detector would watch every byte.
//
//go:norace
func (n *needles) find(b []byte, hit func(name string)) {
	for i := 0; i+8 <= len(b); i++ {
		v := binary.LittleEndian.Uint64(b[i:]) ^ n.mask
		if n.seen[uint16(v)] {
			if name, ok := n.names[v]; ok {
				hit(name)
			}
		}
	}
}

// region is a mapping of the process.
type region struct {
	from, to uint64
	name     string
	ours     bool // Go's memory, or the driver's locked pages
	heap     bool // Go's heap
}

// regions reads what is mapped and may hold data.
func regions(t *testing.T) (out []region) {
	t.Helper()
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	heap := uint64(addressOf(new([64]byte)))
	near := func(at uint64) bool { return at < heap+1<<36 && heap < at+1<<36 } // Go's heap grows from one place
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line := lines.Text()
		if flags, ok := strings.CutPrefix(line, "VmFlags:"); ok {
			last := &out[len(out)-1]
			// Locked and not dumped: the driver's rooms. SoftHSM locks pages of its heap too.
			last.ours = last.ours || strings.Contains(flags, " lo ") && strings.Contains(flags, " dd ")
			if !strings.Contains(flags, " rd ") || !strings.Contains(flags, " wr ") {
				out = out[:len(out)-1]
			}
			continue
		}
		var r region
		var mode, offset, device string
		var inode uint64
		if n, _ := fmt.Sscanf(line, "%x-%x %s %s %s %d %s", &r.from, &r.to, &mode, &offset, &device, &inode, &r.name); n < 6 {
			continue
		}
		// The program's variables: its file's mapping, and the one that goes on behind it.
		behind := r.name == "" && len(out) > 0 && out[len(out)-1].to == r.from && strings.HasSuffix(out[len(out)-1].name, ".test")
		r.heap = near(r.from)
		r.ours = r.heap || strings.HasSuffix(r.name, ".test") || behind
		out = append(out, r)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// scan looks through all memory and counts hits in ours and in the rest. What it
// reads goes through a mapping of its own, which it passes over.
func (n *needles) scan(t *testing.T) (ours, rest map[string]int, looked uint64) {
	t.Helper()
	buffer, err := unix.Mmap(-1, 0, 1<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Munmap(buffer); err != nil {
			t.Error(err)
		}
	}()
	own := uint64(addressOf(&buffer[0]))
	mem, err := os.Open("/proc/self/mem")
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Close()
	ours, rest = map[string]int{}, map[string]int{}
	for _, r := range regions(t) {
		into, place := rest, fmt.Sprintf("%s (%d kB, near Go heap: %v)", r.name, (r.to-r.from)>>10, r.heap)
		if r.ours {
			into = ours
		}
		for at := r.from; at < r.to; {
			if at >= own && at < own+uint64(len(buffer)) {
				at = own + uint64(len(buffer))
				continue
			}
			end := min(r.to, at+uint64(len(buffer)))
			if own > at && own < end {
				end = own
			}
			k, err := mem.ReadAt(buffer[:end-at], int64(at))
			if err != nil && !errors.Is(err, unix.EIO) {
				t.Fatal(err)
			}
			n.find(buffer[:k], func(name string) { into[name+" in "+place]++ })
			looked += uint64(k)
			if end == r.to || k < 8 {
				break
			}
			at = end - 7
		}
	}
	return ours, rest, looked
}

// traceless runs what handles canaries in ordinary memory and leaves none of its
// stack behind: the stack is grown first, not moved meanwhile, and overwritten.
func traceless(prepare func()) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	scrub(64)
	prepare()
	scrub(64)
}

// scrub writes over depth times four kilobytes of the stack below.
//
//go:noinline
func scrub(depth int) byte {
	var page [4096]byte
	for i := range page {
		page[i] = byte(depth)
	}
	if depth > 0 {
		page[0] += scrub(depth - 1)
	}
	return page[0]
}

// canary is a key that exists in this process only as long as it must.
func (n *needles) canary(t *testing.T, m *Module, name string, u hsm.Usage, then func(value []byte)) *hsm.Key {
	t.Helper()
	var key *hsm.Key
	traceless(func() { key = n.load(t, m, name, u, then) })
	return key
}

// load makes a canary; then sees its value before it is wiped.
func (n *needles) load(t *testing.T, m *Module, name string, u hsm.Usage, then func(value []byte)) *hsm.Key {
	t.Helper()
	value := make([]byte, 16)
	if _, err := rand.Read(value); err != nil {
		t.Fatal(err)
	}
	n.add(name, value)
	k, err := secret.NewKey(value)
	if err != nil {
		t.Fatal(err)
	}
	key, err := m.LoadClear(t.Context(), hsm.Spec{Name: "canary/" + name, Usage: u, Algorithm: hsm.TDES2, Owner: "canary", Version: 1}, k)
	if err != nil {
		t.Fatal(err)
	}
	k.Wipe()
	if then != nil {
		then(value)
	}
	clear(value)
	return &key
}

// block enciphers a format 0 block of a canary PIN under key.
func (n *needles) block(t *testing.T, key []byte, pan string) (out secret.PINBlock) {
	t.Helper()
	var pin [12]byte
	if _, err := rand.Read(pin[:]); err != nil {
		t.Fatal(err)
	}
	for i, c := range pin {
		pin[i] = '0' + c%10
	}
	n.add("PIN", pin[:])
	account, err := pinblock.Account([]byte(pan))
	if err != nil {
		t.Fatal(err)
	}
	var clearBlock, enciphered [8]byte
	if err := pinblock.Encode0(&clearBlock, pin[:], account); err != nil {
		t.Fatal(err)
	}
	n.add("clear PIN block", clearBlock[:])
	triple := make([]byte, 24)
	copy(triple[copy(triple, key):], key[:8])
	c, err := des.NewTripleDESCipher(triple)
	if err != nil {
		t.Fatal(err)
	}
	c.Encrypt(enciphered[:], clearBlock[:])
	clear(triple)
	clear(pin[:])
	clear(clearBlock[:])
	if out, err = secret.NewPINBlock(enciphered[:]); err != nil {
		t.Fatal(err)
	}
	return out
}

// leakRounds times leakWork is what runs before memory is searched.
const leakRounds = 2000

// leakMore takes a canary PIN through format 4 and makes reference values of it.
// Its other keys are no canaries: a decimalisation table, an AES key.
func leakMore(t *testing.T, m *Module) func(in hsm.EncipheredPIN, pvk *hsm.Key) error {
	pvkOffset, field := benchKey(t, m, hsm.PVKOffset, hsm.TDES2), benchKey(t, m, hsm.ZPK, hsm.AES128)
	return func(in hsm.EncipheredPIN, pvk *hsm.Key) error {
		four := hsm.EncipheredPIN{Format: hsm.ISO4, Key: field, PAN: in.PAN}
		var err error
		if four.Block, err = m.TranslatePIN(t.Context(), in, hsm.PINTarget{Format: hsm.ISO4, Key: field, PAN: in.PAN}); err != nil {
			return err
		}
		if _, err := m.GenerateOffset(t.Context(), four, pvkOffset); err != nil {
			return err
		}
		_, err = m.GeneratePVV(t.Context(), in, pvk, '2')
		return err
	}
}

// TestNoSecretsInMemory: after ten thousand operations under canary keys and
// PINs, a second later neither Go's memory nor the driver's locked pages hold
// eight bytes of one of them. What the module and the binding leave in theirs is
// reported: no code of ours can wipe it.
func TestNoSecretsInMemory(t *testing.T) {
	n, m := newNeedles(t), module(t)
	const pan = "6224242300000069"
	var in secret.PINBlock
	tpk := n.canary(t, m, "TPK", hsm.TPK, func(value []byte) { in = n.block(t, value, pan) })
	tmk := n.canary(t, m, "TMK", hsm.TMK, nil)
	zpk := n.canary(t, m, "ZPK", hsm.ZPK, nil)
	zak := n.canary(t, m, "ZAK", hsm.ZAK, nil)
	pvk := n.canary(t, m, "PVK", hsm.PVK, nil)
	more := leakMore(t, m)
	number, err := secret.NewPAN([]byte(pan))
	if err != nil {
		t.Fatal(err)
	}
	arrived := hsm.EncipheredPIN{Block: in, Format: hsm.ISO0, Key: tpk, PAN: number}
	data := bytes.Repeat([]byte{'m'}, 200)
	ref := hsm.PVV{Key: pvk, Index: '1', Value: [4]byte([]byte("0000"))}
	operations := 0
	count := func(err error) {
		if operations++; err != nil {
			t.Fatal(err)
		}
	}
	for i := range leakRounds {
		_, err := m.MAC(t.Context(), zak, hsm.MACRetail, data)
		count(err)
		_, err = m.MAC(t.Context(), zak, hsm.MACUnionPayECB, data)
		count(err)
		_, err = m.TranslatePIN(t.Context(), arrived, hsm.PINTarget{Format: hsm.ISO0, Key: zpk, PAN: number})
		count(err)
		if err = m.VerifyPVV(t.Context(), arrived, ref); errors.Is(err, hsm.ErrPIN) {
			err = nil
		}
		count(err)
		count(more(arrived, pvk))
		_, _, err = m.GenerateSet(t.Context(), tmk, hsm.WorkingKey{Spec: hsm.Spec{Name: "canary/made", Usage: hsm.TAK, Algorithm: hsm.TDES2, Owner: "canary", Version: uint32(i + 1)}})
		count(err)
	}
	planted := bytes.Clone([]byte("a canary that is found"))
	n.add("planted", planted)
	time.Sleep(time.Second)
	ours, rest, looked := n.scan(t)
	runtime.KeepAlive(planted)
	t.Logf("%d operations, %d MB looked through", operations, looked>>20)
	for what, times := range rest {
		t.Logf("left by the module or its binding: %s, %d times", what, times)
	}
	found := false
	for what, times := range ours {
		if strings.HasPrefix(what, "planted") {
			found = true
			continue
		}
		t.Errorf("in our memory: %s, %d times", what, times)
	}
	if !found {
		t.Error("what was planted was not found: the search looks at the wrong memory")
	}
}
