// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"tapswitch/internal/pagetest"
	"tapswitch/internal/secret"
)

const docsHead = `# Configuration of a switch

One YAML file, checked as a whole before anything starts: unknown keys, values out of bounds and values that contradict each other are all reported
at once, each with line, reason and what to do. Made from the struct tags in ` + "`switch/config/config.go`" + ` by ` + "`go test ./switch/config -run Page -rewrite`" + `.

- ` + "`tapswitch config check FILE`" + ` reports every mistake; ` + "`tapswitch config explain FILE`" + ` prints every value in force, where it came from and what it means.
- Relative paths are relative to the file's folder. ` + "`…_ms`" + ` are whole milliseconds.
- The file holds no secret: ` + "`${env:NAME}`" + ` or ` + "`${file:path}`" + ` only, and only where the table says *secret*.
- A *key name* is the name of a key in the keystore, such as ` + "`link/acq-a/zpk`" + `.
- There is no reload yet: a change takes a restart. There is no TLS for terminals and links yet; the file refuses a listener without ` + "`private_line: true`" + `.

A whole example (` + "`good.yaml`" + `) and the least that loads (` + "`small.yaml`" + `) are in [switch/config/testdata](../../switch/config/testdata).
`

const docsTail = `
## What is compared

| rule | why |
|---|---|
| ` + "`hsm.timeout_ms`" + ` < ` + "`payment.deadline_ms`" + ` < ` + "`payment.replay_window_ms`" + ` | a hanging module is noticed while the payment can still be refused; a repeat finds its answer |
| each link's ` + "`timeout_ms`" + ` < ` + "`payment.deadline_ms`" + ` | else the terminal gives up first and every slow answer is reversed |
| ` + "`payment.deadline_ms`" + ` ≤ ` + "`node.drain_ms`" + `, < each listener's ` + "`idle_ms`" + ` | payments in flight finish at stop; a terminal that waits is not cut off |
| ` + "`message_ms`" + ` ≤ ` + "`idle_ms`" + `; ` + "`reversal.retry_ms`" + ` ≤ ` + "`max_retry_ms`" + `; ` + "`journal.max_bytes`" + ` ≥ 2 × ` + "`segment_bytes`" + `; ` + "`journal.retention_days`" + ` 0 or ≥ ` + "`payment.replay_window_ms`" + ` | |
| each link's ` + "`saf_window`" + ` ≤ ` + "`max_in_flight`" + ` | what waits takes its places beside payments |
| names, addresses and terminal numbers are unique; ` + "`bins`" + ` refer to links and issuers that exist | overlapping ranges are refused at start by the BIN table |
| an issuer's ` + "`atc_behind`" + ` needs its ` + "`atc_ahead`" + ` | [counters](../operating/counters.md) |
| a mandate's ` + "`issuer`" + ` exists, has ` + "`pvk`" + ` and ` + "`atc_ahead`" + `, and is that of the ranges that name it; some range does; ` + "`pin_above`" + ` ≤ ` + "`max_amount`" + ` ≤ ` + "`max_sum`" + `; no merchant type may and may not; a merchant has one type; ` + "`stand_in.enabled`" + ` needs a mandate | [stand-in](../operating/stand-in.md) |
| a token, by ` + "`module`" + ` and ` + "`token`" + `, is in ` + "`hsm`" + ` and ` + "`hsm.members`" + ` once | the same token would be lost twice at once |
| ` + "`environment: production`" + ` refuses SoftHSM, and starts only with ` + "`hsm.accept_pin_in_host_memory: true`" + ` | [PCI](../PCI.md#pins-in-host-memory) |
`

// TestPage generates docs/reference/configuration.md from the schema.
func TestPage(t *testing.T) {
	var b strings.Builder
	b.WriteString(docsHead)
	describe(&b, "Top level", reflect.TypeFor[Config](), "")
	b.WriteString(docsTail)
	pagetest.Check(t, *rewrite, "configuration.md", b.String(), "go test ./switch/config -run Page -rewrite")
}

// describe writes the table of one section, then those inside it.
func describe(b *strings.Builder, title string, section reflect.Type, note string) {
	value := reflect.New(section)
	defaults(value.Interface())
	fmt.Fprintf(b, "\n## %s\n\n%s| key | default | value | what it is |\n|---|---|---|---|\n", title, note)
	var inner []func()
	for _, f := range fieldsOf(section) {
		v := value.Elem().FieldByIndex(f.index)
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", f.key, defaultDoc(f, v), valueDoc(f, v), f.help)
		t, what := v.Type(), ""
		if t.Kind() == reflect.Slice {
			t, what = t.Elem(), fmt.Sprintf("A list of at most %d, each with:\n\n", f.max)
		}
		if t.Kind() == reflect.Struct && t != reflect.TypeFor[secret.Key]() {
			key := f.key
			inner = append(inner, func() { describe(b, key, t, what) })
		}
	}
	for _, more := range inner {
		more()
	}
}

func defaultDoc(f field, v reflect.Value) string {
	switch {
	case f.need:
		return "required"
	case v.Kind() == reflect.Struct, v.Kind() == reflect.Slice:
		return ""
	case v.Type() == reflect.TypeFor[time.Duration]():
		return fmt.Sprintf("`%d`", time.Duration(v.Int()).Milliseconds())
	case v.Kind() == reflect.String && v.String() == "":
		return "none"
	}
	return fmt.Sprintf("`%v`", v.Interface())
}

func valueDoc(f field, v reflect.Value) string {
	kind := v.Kind()
	switch {
	case len(f.of) > 0:
		return "`" + strings.Join(f.of, "`, `") + "`"
	case v.Type() == reflect.TypeFor[secret.Key]():
		return "secret"
	case kind == reflect.Bool:
		return "true or false"
	case kind == reflect.Int, kind == reflect.Int64:
		return fmt.Sprintf("%d to %d", f.min, f.max)
	case kind == reflect.Slice && v.Type().Elem().Kind() == reflect.String:
		return fmt.Sprintf("1 to %d of: %s", f.max, kindDoc(f.kind))
	case kind == reflect.Slice, kind == reflect.Struct:
		return "section below"
	}
	return kindDoc(f.kind)
}

func kindDoc(kind string) string {
	switch name, length, _ := strings.Cut(kind, " "); name {
	case "address":
		return "host:port"
	case "log":
		return "stderr, stdout or a path"
	case "key":
		return "key name"
	case "digits", "letters", "hex":
		return length + " " + strings.NewReplacer("letters", "letters or digits", "hex", "hex digits").Replace(name)
	default:
		return name
	}
}
