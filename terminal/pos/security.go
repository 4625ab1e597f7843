// SPDX-License-Identifier: Apache-2.0

package pos

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path"

	"tapswitch/internal/env"
	"tapswitch/internal/secret"
)

// The storage key's file in the state directory, and its length.
const (
	storageFile = "storage.key"
	storageNew  = "storage.key.new"
	storageSize = 32
)

// storageKey is the key that enciphers what the terminal stores: the
// configuration's, or one made at the first start. A terminal with a secure
// element keeps it there and names it in the configuration; a file beside the
// data protects the data only where the file cannot be read.
func storageKey(cfg Config, world env.Env) (secret.Key, error) {
	if !cfg.Storage.IsZero() {
		return secret.NewKey(cfg.Storage.AppendTo(nil, secret.ForHSM))
	}
	name := path.Join(cfg.StateDir, storageFile)
	f, err := world.Disk.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return makeStorageKey(cfg.StateDir, world)
	}
	if err != nil {
		return secret.Key{}, fmt.Errorf("pos: open the storage key: %w", err)
	}
	defer f.Close()
	var text [2 * storageSize]byte
	defer clear(text[:])
	if _, err := f.ReadAt(text[:], 0); err != nil && !errors.Is(err, io.EOF) {
		return secret.Key{}, fmt.Errorf("pos: read the storage key: %w", err)
	}
	return parseStorageKey(name, text[:])
}

func parseStorageKey(name string, text []byte) (secret.Key, error) {
	var raw [storageSize]byte
	defer clear(raw[:])
	if n, err := hex.Decode(raw[:], text); err != nil || n != storageSize {
		return secret.Key{}, fmt.Errorf("pos: storage key %s is damaged: restore it, or a reversal that is due cannot be read", name)
	}
	return secret.NewKey(raw[:])
}

// makeStorageKey makes a key and its durable file.
func makeStorageKey(dir string, world env.Env) (secret.Key, error) {
	var raw [storageSize]byte
	defer clear(raw[:])
	if _, err := io.ReadFull(world.Rand, raw[:]); err != nil {
		return secret.Key{}, fmt.Errorf("pos: make the storage key: %w", err)
	}
	text := []byte(hex.EncodeToString(raw[:]))
	defer clear(text)
	if err := writeStorageKey(dir, world.Disk, text); err != nil {
		return secret.Key{}, fmt.Errorf("pos: write the storage key: %w", err)
	}
	return secret.NewKey(raw[:])
}

func writeStorageKey(dir string, disk env.Disk, text []byte) error {
	if err := disk.MkdirAll(dir); err != nil {
		return err
	}
	fresh := path.Join(dir, storageNew)
	if err := disk.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := disk.Create(fresh)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(text, 0)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := disk.Rename(fresh, path.Join(dir, storageFile)); err != nil {
		return err
	}
	return disk.SyncDir(dir)
}

// TLS is the client side of the connection to the switch; nil on a private line.
func (c Config) TLS(readFile func(string) ([]byte, error)) (*tls.Config, error) {
	if c.PrivateLine {
		return nil, nil
	}
	pem, err := readFile(c.CA)
	if err != nil {
		return nil, fmt.Errorf("pos: read tls.ca_file: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("pos: tls.ca_file %s holds no certificate", c.CA)
	}
	out := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, ServerName: c.ServerName}
	if out.ServerName == "" {
		if out.ServerName, _, err = net.SplitHostPort(c.Address); err != nil {
			return nil, fmt.Errorf("pos: switch: %w", err)
		}
	}
	if c.Certificate == "" {
		return out, nil
	}
	pair, err := tls.LoadX509KeyPair(c.Certificate, c.PrivateKey)
	if err != nil {
		return nil, fmt.Errorf("pos: load tls.cert_file and key_file: %w", err)
	}
	out.Certificates = []tls.Certificate{pair}
	return out, nil
}

// OpenLog opens the terminal log for appending; nobody else may read it.
func OpenLog(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("pos: open the terminal log: %w; make its folder, or change log: in the configuration", err)
	}
	return f, nil
}
