// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// tokenCopy is a SoftHSM token as it was before the first kill. SoftHSM rewrites
// token.object in place at every login, so that a process killed in between
// leaves it empty, and with it the token. A module of hardware does not die with
// the process that uses it, and the switch keeps nothing in its token that
// changes: what a kill did to the token is made good before the next start, and
// counted.
type tokenCopy struct {
	dir   string
	files map[string][]byte // by path below dir; objects alone
}

func copyToken(dir string) (tokenCopy, error) {
	t := tokenCopy{dir: dir, files: map[string][]byte{}}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".object") {
			return err
		}
		t.files[path], err = os.ReadFile(path)
		return err
	})
	return t, err
}

// mend puts back every object that is not as long as it was, and says whether
// there was one. The switch must not run.
func (t tokenCopy) mend() (mended bool, err error) {
	for path, was := range t.files {
		now, err := os.ReadFile(path)
		if err != nil {
			return mended, err
		}
		if len(now) == len(was) {
			continue
		}
		mended = true
		if err := os.WriteFile(path, was, 0o600); err != nil {
			return mended, err
		}
	}
	return mended, nil
}
