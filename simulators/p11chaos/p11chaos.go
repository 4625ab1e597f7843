// SPDX-License-Identifier: Apache-2.0

// Package p11chaos makes and steers a PKCS#11 module that misbehaves on order.
//
// Promise: without rules it is the module behind it; with rules every fault is
// one that a real module or its network can show, and each call is counted.
//
// How: module/p11chaos.c forwards all functions of CK_FUNCTION_LIST (v2.40) to
// the module named in the environment. It is compiled by make into
// bin/libp11chaos.so, and by New with the machine's C compiler, so that
// "go test" works on a fresh clone. Rules are lines of a file that the module
// reads again when it changed; counters are a file it maps. README.md has both.
//
// Imported by: tests of hsm/pkcs11 and cmd. Imports: the standard library.
package p11chaos

import (
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

//go:embed module/p11chaos.c
var source []byte

// Compile writes C source text to dir, compiles it by the C compiler that cgo
// uses (go env CC) with all warnings as errors, and returns the path of the
// result: dir/out. Args are put behind the source, for example "-shared".
func Compile(dir, out string, text []byte, args ...string) (string, error) {
	from, to := filepath.Join(dir, out+".c"), filepath.Join(dir, out)
	if err := os.WriteFile(from, text, 0o600); err != nil {
		return "", err
	}
	cc, err := exec.Command("go", "env", "CC").Output()
	compiler := strings.Fields(string(cc)) // CC may carry flags
	if err != nil || len(compiler) == 0 {
		compiler = []string{"cc"}
	}
	all := append(compiler[1:], "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-o", to, from)
	if said, err := exec.Command(compiler[0], append(all, args...)...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("p11chaos: compile %s with %s: %w\n%s", out, compiler[0], err, said)
	}
	return to, nil
}

// CompileModule compiles the module into dir and returns its path, for a process
// of its own: its environment says what it forwards to.
func CompileModule(dir string) (string, error) {
	return Compile(dir, "libp11chaos.so", source, "-shared", "-fPIC", "-ldl", "-lpthread")
}

// Chaos is one module in this process.
type Chaos struct {
	Module   string // path of the library, for whoever loads PKCS#11 modules
	control  string
	counters string
	written  int
}

// New compiles the module into dir and tells it by the environment to forward
// to the module at path behind. The environment is the process's, so there is one
// at a time; NewApart makes others.
func New(dir, behind string) (*Chaos, error) {
	module, err := CompileModule(dir)
	if err != nil {
		return nil, err
	}
	c := &Chaos{Module: module, control: filepath.Join(dir, "control"), counters: filepath.Join(dir, "counters")}
	return c, errors.Join(
		os.Setenv("TAPSWITCH_P11CHAOS_MODULE", behind),
		os.Setenv("TAPSWITCH_P11CHAOS_CONTROL", c.control),
		os.Setenv("TAPSWITCH_P11CHAOS_COUNTERS", c.counters),
	)
}

// NewApart is New with its paths compiled in, so that several of them can be in
// one process, each in a folder of its own. Behind them should be different
// files: a library that is loaded twice by one path is one library.
func NewApart(dir, behind string) (*Chaos, error) {
	c := &Chaos{control: filepath.Join(dir, "control"), counters: filepath.Join(dir, "counters")}
	var pairs []string
	for _, s := range [][2]string{
		{"TAPSWITCH_P11CHAOS_MODULE", behind}, {"TAPSWITCH_P11CHAOS_CONTROL", c.control}, {"TAPSWITCH_P11CHAOS_COUNTERS", c.counters},
	} {
		pairs = append(pairs, fmt.Sprintf("{ %q, %q }", s[0], s[1]))
	}
	var err error
	c.Module, err = Compile(dir, "libp11chaos.so", source, "-shared", "-fPIC", "-ldl", "-lpthread", "-DBUILT_IN="+strings.Join(pairs, ", "))
	return c, err
}

// Tell replaces all rules; with none the module behaves. It takes effect with
// the next call, or at once for calls that hang.
func (c *Chaos) Tell(rules ...string) error {
	c.written++
	next := c.control + ".next"
	text := fmt.Sprintf("# %d\n%s\n", c.written, strings.Join(rules, "\n"))
	if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(next, c.control) // whole or not at all
}

// Counters are what the module saw since it was loaded.
type Counters struct {
	Calls  map[string]uint64 // by name, functions that were called
	All    uint64            // calls of all functions
	Inside uint64            // calls under way
	Made   uint64            // objects made, and gone again
	Gone   uint64
	Opened uint64 // sessions opened, and closed again
	Closed uint64
	Struck uint64 // calls that failed or were spoilt on order
}

// Counters reads them as they are now.
func (c *Chaos) Counters() (Counters, error) { return ReadCounters(c.counters) }

// ReadCounters reads a counters file, also one that another process left.
func ReadCounters(file string) (Counters, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return Counters{}, err
	}
	const after = 7 // words behind the functions, the read count among them
	if len(raw) != 8*(len(functions)+after) {
		return Counters{}, fmt.Errorf("p11chaos: counters of %d bytes, want %d: another version wrote them", len(raw), 8*(len(functions)+after))
	}
	at := func(i int) uint64 { return binary.NativeEndian.Uint64(raw[8*i:]) }
	n := len(functions)
	out := Counters{
		Calls: make(map[string]uint64), Inside: at(n), Made: at(n + 1), Gone: at(n + 2),
		Opened: at(n + 3), Closed: at(n + 4), Struck: at(n + 6),
	}
	for i, name := range functions {
		if calls := at(i); calls != 0 {
			out.Calls[name] = calls
			out.All += calls
		}
	}
	return out, nil
}

// functions are those of CK_FUNCTION_LIST in its order (PKCS#11 v2.40).
var functions = strings.Fields(`
C_Initialize C_Finalize C_GetInfo C_GetFunctionList C_GetSlotList C_GetSlotInfo C_GetTokenInfo C_GetMechanismList
C_GetMechanismInfo C_InitToken C_InitPIN C_SetPIN C_OpenSession C_CloseSession C_CloseAllSessions C_GetSessionInfo
C_GetOperationState C_SetOperationState C_Login C_Logout C_CreateObject C_CopyObject C_DestroyObject C_GetObjectSize
C_GetAttributeValue C_SetAttributeValue C_FindObjectsInit C_FindObjects C_FindObjectsFinal C_EncryptInit C_Encrypt
C_EncryptUpdate C_EncryptFinal C_DecryptInit C_Decrypt C_DecryptUpdate C_DecryptFinal C_DigestInit C_Digest
C_DigestUpdate C_DigestKey C_DigestFinal C_SignInit C_Sign C_SignUpdate C_SignFinal C_SignRecoverInit C_SignRecover
C_VerifyInit C_Verify C_VerifyUpdate C_VerifyFinal C_VerifyRecoverInit C_VerifyRecover C_DigestEncryptUpdate
C_DecryptDigestUpdate C_SignEncryptUpdate C_DecryptVerifyUpdate C_GenerateKey C_GenerateKeyPair C_WrapKey C_UnwrapKey
C_DeriveKey C_SeedRandom C_GenerateRandom C_GetFunctionStatus C_CancelFunction C_WaitForSlotEvent`)
