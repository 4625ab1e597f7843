// SPDX-License-Identifier: Apache-2.0

package keystore

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"strings"

	"tapswitch/hsm"
	"tapswitch/internal/env"
)

// A key file is two lines of text:
//
//	{"version":1,"owner":"10000001","keys":[{"name":…,"version":…,…}]}
//	crc32c 1a2b3c4d
//
// The first is JSON with bytes as hex; the second is the CRC-32C of the first
// with its line end. Keys stand in order of name and version, oldest first, at
// most two versions of a name. Fields that are not known are refused: a newer
// program wrote them. A PIN verification key of usage PVK-offset has a field
// "offset" more: its decimalisation table and how validation data are made.
const formatVersion = 1

// fileMax bounds what is read into memory: an owner has a handful of keys.
const fileMax = 1 << 20

// document is the first line.
type document struct {
	Version int      `json:"version"`
	Owner   string   `json:"owner"`
	Keys    []record `json:"keys"`
}

// record is one key.
type record struct {
	Name      string `json:"name"`
	Version   uint32 `json:"version"`
	Usage     uint8  `json:"usage"`
	Algorithm uint8  `json:"algorithm"`
	KCV       string `json:"kcv"`
	NotAfter  int64  `json:"not_after"`
	LMK       string `json:"lmk"`
	Wrapped   string `json:"wrapped"`
	Binding   string `json:"binding"`
	Offset    *rule  `json:"offset,omitempty"`
}

// rule is what an IBM 3624 verification key computes natural PINs by; other
// keys have none, and their records are as they were before there was one.
type rule struct {
	Table  string `json:"decimalisation_table"`
	Start  uint8  `json:"validation_start"`
	Length uint8  `json:"validation_length"`
	Pad    string `json:"validation_pad"`
}

// encode writes an owner's file.
func encode(owner string, keys []hsm.Key) ([]byte, error) {
	doc := document{Version: formatVersion, Owner: owner, Keys: make([]record, len(keys))}
	for i, k := range keys {
		doc.Keys[i] = record{
			Name: k.Name, Version: k.Version, Usage: uint8(k.Usage), Algorithm: uint8(k.Algorithm), NotAfter: k.NotAfter,
			KCV: hex.EncodeToString(k.KCV[:]), LMK: hex.EncodeToString(k.LMK[:]), Wrapped: hex.EncodeToString(k.Wrapped), Binding: hex.EncodeToString(k.Binding[:]),
		}
		if o := k.Offset; !o.IsZero() {
			doc.Keys[i].Offset = &rule{Table: string(o.Table[:]), Start: o.Start, Length: o.Length, Pad: string(rune(o.Pad))}
		}
	}
	raw, err := json.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("keystore: encode keys of %q: %w", owner, err)
	}
	raw = append(raw, '\n')
	raw = fmt.Appendf(raw, "crc32c %08x\n", checksum(raw))
	if len(raw) > fileMax {
		return nil, fmt.Errorf("keystore: keys of %q take more than %d bytes", owner, fileMax)
	}
	// What Open would refuse is not written in the first place.
	if back, _, err := decode(raw); err != nil || back != owner {
		return nil, fmt.Errorf("%w: keys of %q cannot be stored (%v)", hsm.ErrInput, owner, err)
	}
	return raw, nil
}

func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// decode reads an owner's file; every error is ErrCorrupt.
func decode(raw []byte) (owner string, keys []hsm.Key, err error) {
	line, rest, ok := bytes.Cut(raw, []byte("\n"))
	if !ok {
		return "", nil, fmt.Errorf("%w: it is cut", ErrCorrupt)
	}
	if want := fmt.Sprintf("crc32c %08x\n", checksum(raw[:len(line)+1])); string(rest) != want {
		return "", nil, fmt.Errorf("%w: checksum is wrong", ErrCorrupt)
	}
	var doc document
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&doc); err != nil || d.More() {
		return "", nil, fmt.Errorf("%w: not a key file of this program's version", ErrCorrupt)
	}
	if doc.Version != formatVersion {
		return "", nil, fmt.Errorf("%w: format version %d, this program reads %d", ErrCorrupt, doc.Version, formatVersion)
	}
	for i, r := range doc.Keys {
		k, err := r.key(doc.Owner)
		if err != nil {
			return "", nil, fmt.Errorf("%w: key %d: %w", ErrCorrupt, i+1, err)
		}
		if i > 0 && (k.Name < keys[i-1].Name || k.Name == keys[i-1].Name && k.Version <= keys[i-1].Version) {
			return "", nil, fmt.Errorf("%w: key %d is out of order", ErrCorrupt, i+1)
		}
		if _, third := pick(keys, k.Name, 1); third {
			return "", nil, fmt.Errorf("%w: key %d is the third version of its name", ErrCorrupt, i+1)
		}
		keys = append(keys, k)
	}
	return doc.Owner, keys, nil
}

// key reads one record.
func (r record) key(owner string) (hsm.Key, error) {
	spec := hsm.Spec{Name: r.Name, Version: r.Version, Usage: hsm.Usage(r.Usage), Algorithm: hsm.Algorithm(r.Algorithm), Owner: owner, NotAfter: r.NotAfter}
	if o := r.Offset; o != nil {
		if len(o.Table) != len(spec.Offset.Table) || len(o.Pad) != 1 {
			return hsm.Key{}, fmt.Errorf("offset has not a decimalisation table of 16 digits and one pad")
		}
		spec.Offset = hsm.OffsetRule{Table: [16]byte([]byte(o.Table)), Start: o.Start, Length: o.Length, Pad: o.Pad[0]}
	}
	k := spec.Key()
	if err := spec.Check(); err != nil {
		return k, err
	}
	for _, f := range []struct {
		to   []byte
		text string
		name string
	}{{k.KCV[:], r.KCV, "kcv"}, {k.LMK[:], r.LMK, "lmk"}, {k.Binding[:], r.Binding, "binding"}} {
		b, err := hex.DecodeString(f.text)
		if err != nil || len(b) != len(f.to) {
			return k, fmt.Errorf("%s is not %d bytes of hex", f.name, len(f.to))
		}
		copy(f.to, b)
	}
	var err error
	if k.Wrapped, err = hex.DecodeString(r.Wrapped); err != nil || len(k.Wrapped) == 0 {
		return k, fmt.Errorf("wrapped is not hex")
	}
	return k, nil
}

// fileName of an owner: letters, digits, '-' and '_' stand for themselves, every
// other byte as %XX, so that no owner can name a place outside the directory.
func fileName(owner string) string {
	var b strings.Builder
	for _, c := range []byte(owner) {
		if c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-' || c == '_' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String() + suffix
}

// readAll reads a whole file.
func readAll(disk env.Disk, name string) (raw []byte, err error) {
	f, err := disk.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() {
		if end := f.Close(); err == nil {
			err = end
		}
	}()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	if size > fileMax {
		return nil, fmt.Errorf("%w: it has more than %d bytes", ErrCorrupt, fileMax)
	}
	raw = make([]byte, size)
	if _, err := io.ReadFull(io.NewSectionReader(f, 0, size), raw); err != nil {
		return nil, err
	}
	return raw, nil
}

// writeAll makes a new file with content, durable but for its name.
func writeAll(disk env.Disk, name string, content []byte) (err error) {
	f, err := disk.Create(name)
	if err != nil {
		return err
	}
	defer func() {
		if end := f.Close(); err == nil {
			err = end
		}
	}()
	if _, err := f.WriteAt(content, 0); err != nil {
		return err
	}
	return f.Sync()
}
