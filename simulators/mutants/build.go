// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// folder is where the mutants are, from the root of the tree.
const folder = "simulators/mutants/testdata/mutants"

// load reads all mutants in order of name.
func load(root string) ([]mutant, error) {
	files, err := filepath.Glob(filepath.Join(root, folder, "*.patch"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no mutant in %s: run this at the root of the tree", folder)
	}
	slices.Sort(files)
	var all []mutant
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		m, err := parseMutant(strings.TrimSuffix(filepath.Base(file), ".patch"), string(text))
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return all, nil
}

// overlay writes the changed files of some mutants, which change different ones,
// into dir, and beside them what go build takes as -overlay.
func overlay(root, dir string, some ...mutant) (string, error) {
	replace := map[string]string{}
	for _, m := range some {
		for _, f := range m.files {
			at := filepath.Join(root, filepath.FromSlash(f.path))
			text, err := os.ReadFile(at)
			if err != nil {
				return "", fmt.Errorf("mutant %s: %w", m.name, err)
			}
			changed, err := f.apply(string(text))
			if err != nil {
				return "", fmt.Errorf("mutant %s does not apply: %w", m.name, err)
			}
			copied := filepath.Join(dir, m.name+"-"+strings.ReplaceAll(f.path, "/", "-"))
			if err := os.WriteFile(copied, []byte(changed), 0o600); err != nil {
				return "", err
			}
			replace[at] = copied
		}
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, some[0].name+"-overlay.json")
	return name, os.WriteFile(name, list, 0o600)
}

// build makes the program with a mutant in it.
func build(ctx context.Context, root, dir string, m mutant) (program string, err error) {
	over, err := overlay(root, dir, m)
	if err != nil {
		return "", err
	}
	program = filepath.Join(dir, m.name)
	return program, goBuild(ctx, root, m.name, "-overlay", over, "-ldflags", "-s -w", "-o", program, "./cmd/tapswitch")
}

// goBuild runs go build; what it prints is the error's.
func goBuild(ctx context.Context, root, name string, args ...string) error {
	c := exec.CommandContext(ctx, "go", append([]string{"build"}, args...)...)
	c.Dir = root
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("mutant %s does not build: %w\n%s", name, err, out)
	}
	return nil
}

// packages are the folders of the files that some mutants change.
func packages(some []mutant) (dirs []string) {
	for _, m := range some {
		for _, f := range m.files {
			dirs = append(dirs, "./"+path.Dir(f.path))
		}
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

// together shares mutants out so that none of a share change the same file: one
// build is enough for each share to see whether they compile.
func together(all []mutant) (shares [][]mutant) {
	taken := []map[string]bool{}
	for _, m := range all {
		at := slices.IndexFunc(taken, func(t map[string]bool) bool {
			return !slices.ContainsFunc(m.files, func(f filePatch) bool { return t[f.path] })
		})
		if at < 0 {
			at = len(taken)
			taken, shares = append(taken, map[string]bool{}), append(shares, nil)
		}
		for _, f := range m.files {
			taken[at][f.path] = true
		}
		shares[at] = append(shares[at], m)
	}
	return shares
}
