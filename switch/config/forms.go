// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"net"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"tapswitch/internal/secret"
)

// maxText bounds a free text such as a token label (PKCS#11 allows 32).
const maxText = 32

// wellFormed checks a text against its closed set or its kind and completes paths.
func (d *decoder) wellFormed(p *string, f field, n *yaml.Node, path string) bool {
	if len(f.of) > 0 {
		return d.oneOf(*p, f, n, path)
	}
	if *p == "" && !f.need {
		return true
	}
	kind, length, _ := strings.Cut(f.kind, " ")
	want := ""
	switch kind {
	case "address":
		want = badAddress(*p)
	case "name":
		want = d.badMatch(*p, `^[a-z0-9][a-z0-9-]{0,31}$`, "1 to 32 of a-z, 0-9 and '-'")
	case "key":
		want = d.badMatch(*p, `^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+){0,5}$`, "a key name such as link/acq-a/zpk")
	case "digits":
		want = d.badLength(*p, length, `^[0-9]+$`, "decimal digits")
	case "hex":
		want = d.badLength(*p, length, `^[0-9A-Fa-f]+$`, "hex digits")
	case "letters":
		want = d.badLength(*p, length, `^[0-9A-Za-z]+$`, "letters and digits")
	case "part":
		want = d.badMatch(*p, `^[1-9][0-9]{0,2}=[ -~]{1,64}$`, "FIELD=CONTENT, such as 60=1")
	case "text":
		want = d.badMatch(*p, fmt.Sprintf(`^[ -~]{1,%d}$`, maxText), fmt.Sprintf("1 to %d printable characters", maxText))
	case "path", "log":
		want = d.badMatch(*p, `^[^\x00-\x1f]{1,1000}$`, "a path")
		if kind == "path" || *p != "stderr" && *p != "stdout" {
			*p = d.relative(*p)
		}
	}
	if want == "" {
		return true
	}
	d.problem(Problem{Code: Malformed, Message: path + " has the wrong form", Why: f.help, Fix: "write " + want}, path, placeOf(n))
	return false
}

func (d *decoder) oneOf(word string, f field, n *yaml.Node, path string) bool {
	if contains(f.of, word) {
		return true
	}
	fix := "write one of: " + strings.Join(f.of, ", ")
	if meant := nearest(word[:min(len(word), maxWord)], f.of); meant != "" {
		fix = fmt.Sprintf("did you mean %q? (%s)", meant, fix)
	}
	d.problem(Problem{Code: NotOneOf, Message: path + " is none of the words known here", Why: f.help, Fix: fix}, path, placeOf(n))
	return false
}

// relative makes a path of the file one that the process can open.
func (d *decoder) relative(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(filepath.Dir(d.file), name)
}

// badAddress returns what an address should be, "" when it is one.
func badAddress(s string) string {
	const want = "host:port, for example 127.0.0.1:7001"
	host, port, err := net.SplitHostPort(s)
	if err != nil || strings.ContainsAny(host, " /") {
		return want
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return want
	}
	return ""
}

func (d *decoder) badMatch(s, form, want string) string {
	if d.forms[form] == nil {
		d.forms[form] = regexp.MustCompile(form)
	}
	if d.forms[form].MatchString(s) {
		return ""
	}
	return want
}

// badLength checks characters and a length written as "8" or "6-11".
func (d *decoder) badLength(s, length, form, want string) string {
	low, high, ranged := strings.Cut(length, "-")
	if !ranged {
		high = low
	}
	if n := int64(len(s)); n >= bound(low, 0) && n <= bound(high, 0) && d.badMatch(s, form, "bad") == "" {
		return ""
	}
	return fmt.Sprintf("%s %s, in quotes", length, want)
}

// secret opens a reference to a secret. What stands in the file in its place is
// never repeated in an error.
func (d *decoder) secret(p *secret.Key, f field, n *yaml.Node, path string) bool {
	form := regexp.MustCompile(`^\$\{(env|file):([^{}\x00-\x1f]{1,255})\}$`)
	m := form.FindStringSubmatch(n.Value)
	if n.Kind != yaml.ScalarNode || m == nil {
		d.problem(Problem{Code: LiteralPIN, Message: path + " must refer to a secret, not hold it", Why: "this file is read, copied and kept in version control",
			Fix: "write \"${env:NAME}\" or \"${file:path}\", and change the secret if a real one stood here"}, path, placeOf(n))
		return false
	}
	if !d.openSecrets {
		return true
	}
	value, why := d.open(m[1], m[2])
	if why == "" {
		hold, bound := secret.NewKey, 32
		if f.kind == "secret url" {
			hold, bound = secret.NewURL, 1024
		}
		key, err := hold(value)
		clear(value)
		if err == nil {
			*p = key
			return true
		}
		why = fmt.Sprintf("it is longer than %d bytes", bound)
	}
	d.problem(Problem{Code: NoSecret, Message: fmt.Sprintf("%s: %s has no usable secret", path, n.Value), Why: why,
		Fix: "provide it to this process; `tapswitch config check` needs no secrets"}, path, placeOf(n))
	return false
}

// open returns the secret's bytes without the end of line an editor adds, or
// the reason why there are none.
func (d *decoder) open(kind, name string) (value []byte, why string) {
	if kind == "env" {
		text, ok := d.from.LookupEnv(name)
		if !ok {
			return nil, "the environment has no variable of this name"
		}
		value = []byte(text)
	} else {
		b, err := d.from.ReadFile(d.relative(name))
		if err != nil {
			return nil, err.Error()
		}
		value = b
	}
	text := strings.TrimRight(string(value), "\r\n")
	if text == "" {
		return nil, "it is empty"
	}
	return value[:len(text)], ""
}
