// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"tapswitch/iso8583/capture/capturetest"
)

// publishedMessage is a message that was published with its decoding.
type publishedMessage struct {
	ID, Dialect, Hex string
	Decoded          map[string]any
}

func (p publishedMessage) text(key string) string {
	s, _ := p.Decoded[key].(string)
	return s
}

// published are those messages, with their dialects by our names.
func published(t *testing.T) (all []publishedMessage) {
	t.Helper()
	data, err := os.ReadFile("../../iso8583/dialect/testdata/messages.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	names := map[string]string{"unionpay-pos-bcd": "unionpaypos", "iso8583-1987-ascii": "iso87ascii", "jcb-ebcdic-bcd": "jcb",
		"as2805-bcd": "as2805", "visa-base1-ebcdic-bcd": "visabase1"}
	for i := range all {
		all[i].Dialect = names[all[i].Dialect]
	}
	return all
}

// decodedJSON is what `iso decode --json` gives.
type decodedJSON struct {
	Dialect, TPDU, Header, MTI, Bitmap string
	Len                                *int
	Fields, Text                       map[string]string
	Masked                             bool
}

func decode(t *testing.T, p publishedMessage, more ...string) (d decodedJSON, printed string) {
	t.Helper()
	e := call(t, append([]string{"iso", "decode", "--dialect", p.Dialect, "--json", p.Hex}, more...)...)
	if e.code != 0 || json.Unmarshal([]byte(e.stdout), &d) != nil {
		t.Fatalf("%+v", e)
	}
	return d, e.stdout
}

// TestIsoDecodesPublished: `iso decode` gives the values that a message was
// published with, the sensitive ones when it is asked to, and `iso encode` makes
// the same bytes of them.
func TestIsoDecodesPublished(t *testing.T) {
	t.Parallel()
	for _, p := range published(t) {
		t.Run(p.ID, func(t *testing.T) {
			t.Parallel()
			clear, printed := decode(t, p, "--unsafe-unmasked")
			if clear.Masked || clear.Dialect != p.Dialect || clear.MTI != p.text("mti") || clear.TPDU != p.text("tpdu") || clear.Header != p.text("header") {
				t.Errorf("%+v", clear)
			}
			if want, ok := p.Decoded["len"].(float64); ok && (clear.Len == nil || *clear.Len != int(want)) {
				t.Errorf("length %v, want %v", clear.Len, want)
			}
			for key, value := range p.Decoded {
				want, _ := value.(string)
				if _, err := strconv.Atoi(key); err == nil && !strings.EqualFold(clear.Fields[key], want) && clear.Text[key] != want {
					t.Errorf("field %s is %q (%q), want %q", key, clear.Fields[key], clear.Text[key], want)
				}
			}
			hidden(t, p)
			if p.Dialect == "visabase1" {
				return // its message type is in EBCDIC, which is a profile of the dialect
			}
			file := filepath.Join(t.TempDir(), "message.json")
			if err := os.WriteFile(file, []byte(printed), 0o600); err != nil {
				t.Fatal(err)
			}
			if e := call(t, "iso", "encode", file); e.code != 0 || strings.TrimSpace(e.stdout) != strings.ToUpper(p.Hex) {
				t.Errorf("encoded %+v\nwant %s", e, p.Hex)
			}
		})
	}
}

// hidden looks for what must not be shown without being asked for.
func hidden(t *testing.T, p publishedMessage) {
	t.Helper()
	masked, printed := decode(t, p)
	if !masked.Masked {
		t.Error("not said to be masked")
	}
	view := call(t, "iso", "view", "--dialect", p.Dialect, p.Hex)
	for _, n := range []string{"2", "14", "35", "36", "45", "52"} {
		value := p.text(n)
		if len(value) < 8 && n != "14" || value == "" {
			continue
		}
		if masked.Fields[n] == value {
			t.Errorf("field %s is shown", n)
		}
		if len(value) >= 8 && (strings.Contains(printed, value) || strings.Contains(view.stdout+view.stderr, value)) {
			t.Errorf("the value of field %s is shown", n)
		}
	}
}

// TestIsoViewNamesPublished: `iso view` names the dialect first, or says that the
// bytes do not tell it from the first.
func TestIsoViewNamesPublished(t *testing.T) {
	t.Parallel()
	for _, p := range published(t) {
		t.Run(p.ID, func(t *testing.T) {
			t.Parallel()
			e := call(t, "iso", "view", "-o", "json", p.Hex)
			var got struct {
				Message struct{ Dialect string }
				Tied    []string
			}
			if e.code != 0 || json.Unmarshal([]byte(e.stdout), &got) != nil {
				t.Fatalf("%+v", e)
			}
			tied := slices.ContainsFunc(got.Tied, func(s string) bool { return strings.HasPrefix(s, p.Dialect) })
			if got.Message.Dialect != p.Dialect && !tied {
				t.Errorf("named %s, tied %v, want %s", got.Message.Dialect, got.Tied, p.Dialect)
			}
		})
	}
}

const (
	isoPAN  = "4761739001010119"
	isoSale = `{"dialect":"iso87ascii","mti":"0200","fields":{"2":"` + isoPAN + `","3":"000000","4":"000000001111","7":"0824141554","11":"000079","14":"2912","22":"012","37":"REF%","41":"10016919","42":"843290045820001","49":"156"}}`
)

// TestIsoCommands is what the tools answer, and that none shows a card number.
func TestIsoCommands(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	sale := func(reference string) string {
		e := call(t, "iso", "encode", strings.Replace(isoSale, "REF%", reference, 1))
		if e.code != 0 {
			t.Fatalf("%+v", e)
		}
		return strings.TrimSpace(e.stdout)
	}
	first, second := sale("000000000001"), sale("000000000002")
	cut := file("cut.hex", first[:len(first)-20])
	acme := "../../iso8583/dialect/load/testdata/acme.xml"
	for _, c := range []struct {
		args []string
		code int
		want string // a regular expression, of stdout and stderr one after the other
	}{
		{[]string{"view", first}, 0, `^0200 financial request, .*card 476173\*{6}0119(?s:.*)read as hex(?s:.*)offset +field`},
		{[]string{"view", file("dump.txt", dump(first))}, 0, `read as hex dump`},
		{[]string{"view", cut}, 1, `error\[ISO-111\]: the message stops making sense as iso87ascii(?s:.*)where: byte \d+ of \d+`},
		{[]string{"view", strings.Repeat("A5", 64)}, 1, `error\[ISO-110\]: no dialect recognised`},
		{[]string{"doctor", first}, 0, `(?m)^1\. iso87ascii, .*whole`},
		{[]string{"doctor", cut}, 1, `(?m)^1\. iso87ascii(?s:.*)stops at byte \d+ of \d+: `},
		{[]string{"diff", first, first}, 0, `^no difference\n$`},
		{[]string{"diff", first, second}, 1, `(?m)^37 .* 000000000001 -> 000000000002$(?s:.*)1 difference`},
		{[]string{"diff", "--ignore", "volatile", first, second}, 0, `^no difference\n$`},
		{[]string{"lint", first}, 0, `^0200 iso87ascii\n0 errors`},
		{[]string{"lint", "--rules"}, 0, `(?m)^ISO-L01 `},
		{[]string{"dialects"}, 0, `(?m)^unionpaypos .*production(?s:.*)^visabase1 .*public facts only, for tests and simulation`},
		{[]string{"spec", "show", "iso87ascii"}, 0, `(?m)^2 +digits +\.\.19 +Primary account number +\(pan\)$`},
		{[]string{"spec", "show", "nobody"}, 2, `error\[ISO-103\](?s:.*)unionpaypos`},
		{[]string{"spec", "check", acme}, 0, `^acme: 10 fields, 4 of them masked or hidden\n`},
		{[]string{"spec", "check", file("bad.json", `{"name":"x","fields":{"0":{"type":"Nothing"}}}`)}, 1, `error\[ISO-151\](?s:.*)why: .*field: 0`},
		{[]string{"spec", "check", "none.json"}, 1, `error\[ISO-150\](?s:.*)none.json`},
		{[]string{"spec", "show", "acme", "--spec", acme}, 0, `^acme: from acme.xml \(your own specification\)`},
		{[]string{"dialects", "--spec", acme, "--spec", acme}, 2, `two dialects have the name acme`},
		{[]string{"dialects", "--config", "../../switch/config/testdata/dialects.yaml"}, 0, `(?m)^house +from house.json`},
		{[]string{"dialects", "--config", "../../switch/config/testdata/baddialects.yaml"}, 1, `CFG-\d+`},
		{[]string{"lua", "iso87ascii"}, 0, `(?m)^-- Wireshark dissector`},
		{[]string{"encode", `{"mti":"0800"}`}, 2, `no dialect`},
		{[]string{"encode", `{"dialect":"iso87ascii","mti":"0800","fields":{"11":"12345"}}`}, 1, `error\[ISO-120\](?s:.*)line 1`},
		{[]string{"decode", "--dialect", "iso87ascii", isoPAN}, 1, `error\[ISO-`},
		{[]string{"decode", isoPAN}, 2, `flag --dialect is required`},
		{[]string{"diff", isoPAN}, 2, `1 arguments given`},
		{[]string{isoPAN}, 2, `unknown command`},
		{[]string{"spec", isoPAN}, 2, `unknown command`},
		{[]string{"view", "--dialect", isoPAN, first}, 2, `error\[ISO-103\]`},
		{[]string{"view", "--" + isoPAN}, 2, `unknown flag`},
	} {
		e := call(t, append([]string{"iso"}, c.args...)...)
		said := e.stdout + e.stderr
		if e.code != c.code || !regexp.MustCompile(c.want).MatchString(said) {
			t.Errorf("iso %s: exit code %d, want %d, and %q in\n%s", c.args[0], e.code, c.code, c.want, said)
		}
		if strings.Contains(said, isoPAN) || strings.Contains(said, isoPAN[6:12]) {
			t.Errorf("iso %s shows the card number:\n%s", c.args[0], said)
		}
	}
}

// dump writes hex as a dump with offsets.
func dump(hex string) (out string) {
	for at := 0; at < len(hex); at += 32 {
		line := hex[at:min(at+32, len(hex))]
		offset := strconv.FormatInt(int64(at/2), 16)
		out += strings.Repeat("0", 8-len(offset)) + offset + " "
		for i := 0; i < len(line); i += 2 {
			out += " " + line[i:i+2]
		}
		out += "\n"
	}
	return out
}

// TestIsoPcap: a capture is read, its messages paired, the answer's time told.
func TestIsoPcap(t *testing.T) {
	t.Parallel()
	wire := func(mti string) []byte {
		e := call(t, "iso", "encode", "--frame", `{"dialect":"iso87ascii","mti":"`+mti+`","fields":{"7":"0824141554","11":"000079","39":"00","70":"301"}}`)
		p := make([]byte, 0, 64)
		for hex := strings.TrimSpace(e.stdout); len(hex) >= 2; hex = hex[2:] {
			b, err := strconv.ParseUint(hex[:2], 16, 8)
			if err != nil {
				t.Fatalf("%+v", e)
			}
			p = append(p, byte(b))
		}
		return p
	}
	c, packets := capturetest.New("10.0.0.1:40000", "10.0.0.2:7100")
	request, answer := wire("0800"), wire("0810")
	packets = append(packets, c.Send(0, request[:7]), c.Send(0, request[7:]))
	c.Wait(20 * time.Millisecond)
	packets = append(packets, c.Send(1, answer))
	file, err := capturetest.PcapNG(packets)
	if err != nil || c.Err != nil {
		t.Fatal(err, c.Err)
	}
	path := filepath.Join(t.TempDir(), "talk.pcapng")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	e := call(t, "iso", "pcap", path)
	if e.code != 0 || !regexp.MustCompile(`(?m)0800 network management request.*\[answer is 2\]$(?s:.*)0810 .*\[2\d\.\d{3} ms after 1\]$(?s:.*)2 messages in 1 connection`).MatchString(e.stdout) {
		t.Errorf("%+v", e)
	}
	if e = call(t, "iso", "pcap", "iso_test.go"); e.code != 1 || !strings.Contains(e.stderr, "ISO-130") {
		t.Errorf("%+v", e)
	}
}
