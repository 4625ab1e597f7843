// SPDX-License-Identifier: Apache-2.0

package config

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"tapswitch/internal/secret"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the golden files")

const userPIN = "48151623"

// machine serves the files of testdata, one secret file and one variable.
func machine() Source {
	return Source{
		ReadFile: func(name string) ([]byte, error) {
			if filepath.Base(name) == "user.pin" {
				return []byte(userPIN + "\n"), nil
			}
			b, err := os.ReadFile(name)
			if errors.Is(err, fs.ErrNotExist) {
				return nil, fmt.Errorf("open %s: no such file", filepath.Base(name))
			}
			return b, err
		},
		LookupEnv: func(name string) (string, bool) { return userPIN, name == "TAPSWITCH_USER_PIN" },
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *rewrite {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; run with -rewrite and read the diff\ngot:\n%s\nwant:\n%s", path, got, want)
	}
}

// TestMistakes compares all that a bad file is told with its golden file.
func TestMistakes(t *testing.T) {
	for _, name := range []string{"relations", "values", "syntax", "alias", "documents", "empty", "list", "tag", "nosecret", "absent", "baddialects"} {
		t.Run(name, func(t *testing.T) {
			c, err := Load("testdata/"+name+".yaml", machine())
			if err == nil || c != nil {
				t.Fatalf("a bad file loaded: %v %v", c, err)
			}
			text := err.Error()
			for _, never := range []string{"12345678", userPIN, "6299999999999999"} {
				if strings.Contains(text, never) {
					t.Errorf("the errors repeat %q", never)
				}
			}
			golden(t, name+".txt", text+"\n")
		})
	}
}

func TestLoad(t *testing.T) {
	c, err := Load("testdata/good.yaml", machine())
	if err != nil {
		t.Fatal(err)
	}
	if pin := string(c.HSM.UserPIN.AppendTo(nil, secret.ForTest)); pin != userPIN {
		t.Errorf("user PIN has %d characters, want the file's %d without its end of line", len(pin), len(userPIN))
	}
	if c.Payment.Deadline != 4*time.Second || c.Payment.MaxInFlight != 256 || c.Journal.MaxBytes != 1<<30 {
		t.Errorf("payment %+v journal %+v", c.Payment, c.Journal)
	}
	if want := []string{"127.0.0.1:7101"}; !reflect.DeepEqual(c.Links[0].Addresses, want) || c.Links[0].Institution != "00000001" {
		t.Errorf("link %+v", c.Links[0])
	}
	for _, p := range []struct{ got, want string }{
		{c.Journal.Dir, "testdata/journal"},
		{c.HSM.Keystore, "testdata/keystore"},
		{c.HSM.SoftHSMConf, "testdata/softhsm2.conf"},
		{c.HSM.Module, "/usr/lib/softhsm/libsofthsm2.so"},
		{c.Observe.Log, "stderr"},
	} {
		if filepath.ToSlash(p.got) != p.want {
			t.Errorf("path %s, want %s", p.got, p.want)
		}
	}
	if s := fmt.Sprintf("%v %+v %#v", c, *c, c.HSM); strings.Contains(s, userPIN) {
		t.Error("printing the configuration shows the PIN")
	}
}

// TestDefaults: what the least file leaves out is what the long file writes out.
func TestDefaults(t *testing.T) {
	small, err := Load("testdata/small.yaml", machine())
	if err != nil {
		t.Fatal(err)
	}
	good, err := Load("testdata/good.yaml", machine())
	if err != nil {
		t.Fatal(err)
	}
	if small.Payment != good.Payment || small.Journal != good.Journal || small.Reversal != good.Reversal ||
		small.Observe != good.Observe || small.PAN != good.PAN ||
		!reflect.DeepEqual(small.Listeners, good.Listeners) || !reflect.DeepEqual(small.Links, good.Links) {
		t.Errorf("small %+v\ngood  %+v", small, good)
	}
}

func TestExplain(t *testing.T) {
	for _, name := range []string{"good", "small"} {
		c, err := Load("testdata/"+name+".yaml", machine())
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := c.Explain(&b); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(b.String(), userPIN) {
			t.Error("explain shows a secret")
		}
		golden(t, "explain-"+name+".txt", b.String())
	}
}

// TestCheckNeedsNoSecrets: a machine without the secrets can check the file.
func TestCheckNeedsNoSecrets(t *testing.T) {
	for name, good := range map[string]bool{"good": true, "nosecret": true, "values": false} {
		if err := Check("testdata/"+name+".yaml", machine()); (err == nil) != good {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSchema walks the tags: every key explains itself, every number has
// bounds, every kind is known, every default lies within its own bounds.
func TestSchema(t *testing.T) {
	kinds := []string{"", "name", "address", "path", "log", "key", "text", "part", "secret", "digits", "hex", "letters"}
	var walk func(section reflect.Type)
	walk = func(section reflect.Type) {
		value := reflect.New(section)
		defaults(value.Interface())
		for _, f := range fieldsOf(section) {
			sf := section.FieldByIndex(f.index)
			at := section.Name() + "." + sf.Name
			if f.help == "" {
				t.Errorf("%s has no help", at)
			}
			kind, _, _ := strings.Cut(f.kind, " ")
			if !contains(kinds, kind) {
				t.Errorf("%s: unknown kind %q", at, f.kind)
			}
			v := value.Elem().FieldByIndex(f.index)
			switch v.Kind() {
			case reflect.Int, reflect.Int64:
				_, low := sf.Tag.Lookup("min")
				_, high := sf.Tag.Lookup("max")
				n := v.Int()
				if v.Type() == reflect.TypeFor[time.Duration]() {
					n /= int64(time.Millisecond)
				}
				if !low || !high || f.min > f.max || !f.need && (n < f.min || n > f.max) {
					t.Errorf("%s: default %d, bounds %d to %d", at, n, f.min, f.max)
				}
			case reflect.Slice:
				if _, high := sf.Tag.Lookup("max"); !high {
					t.Errorf("%s: a list without a bound", at)
				}
				if v.Type().Elem().Kind() == reflect.Struct {
					walk(v.Type().Elem())
				}
			case reflect.Struct:
				if v.Type() != reflect.TypeFor[secret.Key]() {
					walk(v.Type())
				}
			case reflect.String:
				if len(f.of) > 0 && !f.need && !contains(f.of, v.String()) {
					t.Errorf("%s: default %q is not among %v", at, v.String(), f.of)
				}
			}
		}
	}
	walk(reflect.TypeFor[Config]())
}

func TestNearest(t *testing.T) {
	words := []string{"timeout_ms", "echo_ms", "address", "addresses", "zpk", "zak"}
	for typed, want := range map[string]string{"timeout": "timeout_ms", "timeuot_ms": "timeout_ms", "adress": "address", "zkp": "zpk", "colour": "", "": ""} {
		if got := nearest(typed, words); got != want {
			t.Errorf("nearest(%q) = %q, want %q", typed, got, want)
		}
	}
}

// TestManyTerminals: the largest file allowed loads in reasonable time and its
// last entry is there.
func TestManyTerminals(t *testing.T) {
	small, err := os.ReadFile("testdata/small.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	b.Write(small)
	b.WriteString("terminals:\n")
	for i := range 5000 {
		fmt.Fprintf(&b, "  - { id: \"%08d\", merchant: \"123456789012345\", tmk: terminal/%08d/tmk }\n", i, i)
	}
	from := machine()
	from.ReadFile = func(string) ([]byte, error) { return b.Bytes(), nil }
	c, err := Load("many.yaml", from)
	if err != nil {
		t.Fatal(err)
	}
	if last := c.Terminals[4999]; last.ID != "00004999" || last.Status != "active" {
		t.Errorf("last terminal %+v", last)
	}
}

// FuzzLoad: whatever the file holds, loading ends with a configuration or with
// problems that have a code, a reason and a fix, and never repeats a secret.
func FuzzLoad(f *testing.F) {
	seeds, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(seeds) == 0 {
		f.Fatal("no seeds", err)
	}
	for _, s := range seeds {
		b, err := os.ReadFile(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		from := machine()
		from.ReadFile = func(name string) ([]byte, error) {
			if name == "conf/fuzz.yaml" {
				return b, nil
			}
			return []byte(userPIN), nil
		}
		c, err := Load("conf/fuzz.yaml", from)
		if err == nil {
			if c.Version != 1 || len(c.Listeners) == 0 || len(c.Links) == 0 {
				t.Fatalf("loaded without what it needs: %+v", c)
			}
			return
		}
		var all Problems
		if !errors.As(err, &all) || len(all) == 0 {
			t.Fatalf("not problems: %v", err)
		}
		for _, p := range all {
			if p.Code == "" || p.Message == "" || p.Why == "" || p.Fix == "" {
				t.Fatalf("incomplete problem: %+v", p)
			}
		}
		if strings.Contains(err.Error(), userPIN) && !bytes.Contains(b, []byte(userPIN)) {
			t.Fatal("an error shows a secret")
		}
	})
}
