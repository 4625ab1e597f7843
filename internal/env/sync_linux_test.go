// SPDX-License-Identifier: Apache-2.0

package env_test

import (
	"errors"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"tapswitch/internal/env"
)

// What the disk says comes back as it is: /dev/null cannot be synced.
func TestSyncTellsItsError(t *testing.T) {
	f, err := env.RealDisk().Open("/dev/null")
	must(t, err)
	if err := f.Sync(); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("sync of /dev/null: %v", err)
	}
	must(t, f.Close())
}

// Goroutines that sync are stopped, scanned and moved by the runtime as any other:
// collections run all the while, with stacks that grow and shrink.
func TestSyncsAmongCollections(t *testing.T) {
	disk := env.RealDisk()
	dir := t.TempDir()
	var group sync.WaitGroup
	var over atomic.Bool
	collector := make(chan struct{})
	go func() {
		defer close(collector)
		for !over.Load() {
			runtime.GC()
		}
	}()
	for i := range 8 {
		group.Go(func() {
			f, err := disk.Create(filepath.Join(dir, string(rune('a'+i))))
			must(t, err)
			for n := range 50 {
				_, err := f.WriteAt(deep(n, []byte("0123456789abcdef")), int64(16*n))
				must(t, errors.Join(err, f.Sync()))
			}
			must(t, f.Close())
		})
	}
	group.Wait()
	over.Store(true)
	<-collector
}

// deep gives b from below n frames of a kilobyte.
func deep(n int, b []byte) []byte {
	var room [1024]byte
	room[n] = 1
	if n == 0 {
		return append([]byte(nil), b[:len(b)-1+int(room[0])]...)
	}
	return deep(n-1, b)
}
