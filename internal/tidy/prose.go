// SPDX-License-Identifier: Apache-2.0

package tidy

import (
	"path"
	"regexp"
	"slices"
	"sort"
	"strings"
)

// dependencies is where every module of others has its paragraph.
const dependencies = "docs/DEPENDENCIES.md"

// proseFiles are the readable files in order.
func (t *Tree) proseFiles() []string {
	names := make([]string, 0, len(t.text))
	for n := range t.text {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// checkTestdata: test data has a test beside it that can read it.
func checkTestdata(t *Tree) (all []Finding) {
	_, files := t.packages()
	for name := range t.exists {
		if path.Base(name) != "testdata" {
			continue
		}
		if !slices.ContainsFunc(files[path.Dir(name)], (*goFile).isTest) && !slices.ContainsFunc(files[path.Dir(name)], (*goFile).serveTests) {
			all = append(all, Finding{Rule: "testdata", Path: name, Text: "no test file beside this testdata: nobody reads it"})
		}
	}
	return all
}

// checkLinks: a relative link of a page leads to a file, its fragment to a heading.
func checkLinks(t *Tree) (all []Finding) {
	link := regexp.MustCompile(`\]\(([^()\s]+)\)`)
	for _, name := range t.proseFiles() {
		if path.Ext(name) != ".md" {
			continue
		}
		for i, line := range outsideFences(t.text[name]) {
			for _, m := range link.FindAllStringSubmatch(line, -1) {
				if why := t.broken(name, m[1]); why != "" {
					all = append(all, Finding{Rule: "links", Path: name, Line: i + 1, Name: m[1], Text: "link " + m[1] + " " + why})
				}
			}
		}
	}
	return all
}

func (t *Tree) broken(page, target string) string {
	if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
		return ""
	}
	file, fragment, _ := strings.Cut(target, "#")
	to := page
	if file != "" {
		to = path.Join(path.Dir(page), file)
	}
	if !t.exists[to] {
		return "leads to no file of the tree"
	}
	if fragment != "" && path.Ext(to) == ".md" && !slices.Contains(headings(t.text[to]), fragment) {
		return "leads to no heading of " + to
	}
	return ""
}

// outsideFences returns the lines of a page with code blocks left empty.
func outsideFences(page string) []string {
	lines := strings.Split(page, "\n")
	fenced := false
	for i, l := range lines {
		fence := strings.HasPrefix(strings.TrimSpace(l), "```")
		if fence || fenced {
			lines[i] = ""
		}
		if fence {
			fenced = !fenced
		}
	}
	return lines
}

// headings are the anchors of a page, as the usual renderers make them.
func headings(page string) (anchors []string) {
	drop := regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	for _, l := range outsideFences(page) {
		if text, ok := strings.CutPrefix(strings.TrimLeft(l, "#"), " "); ok && strings.HasPrefix(l, "#") {
			a := drop.ReplaceAllString(strings.ToLower(strings.TrimSpace(text)), "")
			anchors = append(anchors, strings.ReplaceAll(a, " ", "-"))
		}
	}
	return anchors
}

// checkDependencies: every imported or required module of others has a section
// with a paragraph in docs/DEPENDENCIES.md, and every section its requirement.
// A go.mod below the root is of a module of ours that exists for benchmarks.
func checkDependencies(t *Tree) (all []Finding) {
	var required []string
	for name, text := range t.text {
		if path.Base(name) == "go.mod" {
			required = append(required, requirements(text)...)
		}
	}
	sections := sectionsOf(t.text[dependencies])
	for _, m := range required {
		if len(sections[m]) < 80 {
			all = append(all, Finding{Rule: "dependencies", Path: dependencies, Name: m, Text: m + " has no paragraph: say what it is for, why it and not another, and what it costs"})
		}
	}
	for m := range sections {
		if looksLikeModule(m) && !slices.Contains(required, m) {
			all = append(all, Finding{Rule: "dependencies", Path: dependencies, Name: m, Text: "the section on " + m + " has no requirement in go.mod"})
		}
	}
	for _, f := range t.gofile {
		for _, s := range f.ast.Imports {
			p := importPath(s)
			if p == "C" || !foreign(p) {
				continue
			}
			if !slices.ContainsFunc(required, func(m string) bool { return matches(m+"/...", p) }) {
				all = append(all, t.at("dependencies", f, s.Pos(), p, p+" is not a direct requirement of go.mod"))
			}
		}
	}
	return all
}

// requirements are the direct requirements and tools' modules of a go.mod.
func requirements(mod string) (out []string) {
	tools := regexp.MustCompile(`(?m)^tool (\S+)`).FindAllStringSubmatch(mod, -1)
	for _, m := range regexp.MustCompile(`(?m)^(?:require )?\s*(\S+\.\S+) v\S+( // indirect)?$`).FindAllStringSubmatch(mod, -1) {
		isTool := slices.ContainsFunc(tools, func(tool []string) bool { return matches(m[1]+"/...", tool[1]) })
		if m[2] == "" || isTool {
			out = append(out, m[1])
		}
	}
	return out
}

// sectionsOf maps each second-level heading of a page to its text.
func sectionsOf(page string) map[string]string {
	out := map[string]string{}
	title := ""
	for _, l := range strings.Split(page, "\n") {
		if h, ok := strings.CutPrefix(l, "## "); ok {
			title = strings.TrimSpace(h)
			out[title] = ""
			continue
		}
		out[title] += strings.TrimSpace(l) + " "
	}
	for k := range out {
		out[k] = strings.TrimSpace(out[k])
	}
	return out
}

func looksLikeModule(title string) bool {
	first, _, ok := strings.Cut(title, "/")
	return ok && strings.Contains(first, ".") && !strings.Contains(title, " ")
}

// checkMachinePaths: nothing in the tree depends on the machine it was written on.
func checkMachinePaths(t *Tree) (all []Finding) {
	home := regexp.MustCompile("(^|[\\s\"'`(=:])/(work|home|root|Users)/[a-zA-Z]")
	look := func(name, text string) {
		for i, line := range strings.Split(text, "\n") {
			if m := home.FindString(line); m != "" {
				all = append(all, Finding{Rule: "machine-path", Path: name, Line: i + 1, Text: "a path of one machine: make it relative"})
			}
		}
	}
	for _, name := range t.proseFiles() {
		look(name, t.text[name])
	}
	for _, f := range t.gofile {
		look(f.path, f.source)
	}
	return all
}
