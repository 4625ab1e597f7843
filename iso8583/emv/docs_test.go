// SPDX-License-Identifier: Apache-2.0

package emv

import (
	"bytes"
	"fmt"
	"os"
	"sort"
	"strings"
	"testing"
)

const docs = "../../docs/reference/emv-tags.md"

// TestDocs: docs/reference/emv-tags.md is written from the tables.
func TestDocs(t *testing.T) {
	var b bytes.Buffer
	docsHead(&b)
	docsTags(&b)
	docsBits(&b)
	docsCodes(&b)
	if *rewrite {
		if err := os.WriteFile(docs, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(docs)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b.Bytes(), want) {
		t.Error(docs + " is not what the tables say: go test ./iso8583/emv -run TestDocs -rewrite")
	}
}

func docsHead(b *bytes.Buffer) {
	tags := map[uint32]bool{}
	for _, e := range Dictionary() {
		tags[uint32(e.Tag)] = true
	}
	fmt.Fprintf(b, `# EMV tags

%d meanings of %d tags, as %s knows them. This page is written by a test from the tables of that package; change them there.

- A tag's meaning depends on the kernel: 2 Mastercard, 3 Visa, 4 American Express, 5 JCB, 6 Discover, 7 UnionPay, 8 common; "all" where they agree.
  The number stands for the scheme in contact transactions too. Without a kernel (and without an AID in the data to tell it) a tag with several meanings is
  called ambiguous, and its value is not explained.
- *unconfirmed*: general knowledge of the published books without a public trace or code behind it. The tools print "(unconfirmed)".
- *shown*: a card number is masked; *hidden*, *sensitive* and *PIN or key* show the length only, whichever kernel is assumed. So do unknown tags and values of a length the table
  does not allow.
- "PBOC" stands for China's financial IC card standard (JR/T 0025). What only a scheme's licensed specification says is not here.

`, len(Dictionary()), len(tags), "`iso8583/emv`")
}

func docsTags(b *bytes.Buffer) {
	b.WriteString("## Tags\n\n| tag | kernels | name | format | bytes | from | source | inside | shown | explained as |\n|---|---|---|---|---|---|---|---|---|---|\n")
	for _, e := range Dictionary() {
		name := e.Name
		if e.Unconfirmed {
			name += " *(unconfirmed)*"
		}
		explained := ""
		if e.Table != nil {
			explained = e.Table.Name
			if e.Table.form == 0 {
				explained = "[" + explained + "](#" + anchor(explained) + ")"
			}
		}
		fmt.Fprintf(b, "| %v | %v | %s | %s | %s | %v | %s | %s | %v | %s |\n", e.Tag, e.Kernels, name, e.Format, e.lengths(), e.From, e.Source, e.Inside, e.Mark, explained)
	}
}

// anchor is the name a heading has in a link.
func anchor(heading string) string {
	out := ""
	for _, c := range strings.ToLower(heading) {
		switch {
		case c == ' ':
			out += "-"
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-':
			out += string(c)
		}
	}
	return out
}

func docsBits(b *bytes.Buffer) {
	b.WriteString("\n## Bits\n\nBytes count from 1, bits from b8 (80) to b1 (01).\n")
	all := tables()
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		fmt.Fprintf(b, "\n### %s\n\n| byte | bits | value | meaning |\n|---|---|---|---|\n", name)
		for _, r := range all[name].Rows {
			docsRow(b, r)
		}
	}
}

func docsRow(b *bytes.Buffer, r Row) {
	at, val, text := fmt.Sprint(r.Byte), "", r.Text
	switch r.Kind {
	case Flag:
		val = "1"
	case Choice:
		val = fmt.Sprintf("%02X", r.Is>>shift(r.Mask))
		if r.To != r.Is {
			val += fmt.Sprintf("-%02X", r.To>>shift(r.Mask))
		}
	case Number:
		val = "number"
	case Bytes:
		if val = "bytes"; r.Last > r.Byte {
			at += fmt.Sprintf("-%d", r.Last)
		}
	case Rest:
		at, val = at+"-", "bytes"
	case Reserved:
		text = "reserved for future use"
	}
	if r.Unconfirmed {
		text += " *(unconfirmed)*"
	}
	fmt.Fprintf(b, "| %s | %s | %s | %s |\n", at, bits(r.Mask), val, text)
}

func docsCodes(b *bytes.Buffer) {
	b.WriteString("\n## Response codes (8A)\n\n| code | meaning |\n|---|---|\n")
	for _, table := range [][]code{offlineCodes[:], hostCodes[:]} {
		for _, c := range table {
			fmt.Fprintf(b, "| %s | %s |\n", c.is, c.text)
		}
	}
	b.WriteString("\n## Script commands (86 in 71 and 72)\n\nThe data of a command may be a PIN: only the header is shown.\n\n| instruction | command |\n|---|---|\n")
	for _, i := range scriptInstructions {
		fmt.Fprintf(b, "| %02X | %s |\n", i.ins, i.text)
	}
	b.WriteString("\n## Schemes by application identifier\n\nThe longest prefix decides.\n\n| prefix | scheme | default kernel |\n|---|---|---|\n")
	for _, s := range schemes {
		kernel, name := "", s.String()
		if s.Kernel != Unknown {
			kernel = fmt.Sprint(int(s.Kernel))
		}
		if s.Unconfirmed {
			name += " *(unconfirmed)*"
		}
		fmt.Fprintf(b, "| %X | %s | %s |\n", s.Prefix, name, kernel)
	}
}
