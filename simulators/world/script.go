// SPDX-License-Identifier: Apache-2.0

package world

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"tapswitch/iso8583"
	"tapswitch/iso8583/bertlv"
	"tapswitch/simulators/oracle"
)

// Scripts of issuers and what becomes of them, on both sides.

// The tags of it (EMV Book 3 annex A; DF31 is UnionPay's).
const (
	tagScript    bertlv.Tag = 0x72
	tagScriptID  bertlv.Tag = 0x9F18
	tagCommand   bertlv.Tag = 0x86
	tagResults   bertlv.Tag = 0x9F5B
	tagResultsUP bertlv.Tag = 0xDF31
	tagTVR       bertlv.Tag = 0x95
)

// results are the results of scripts in some of field 55, in hex.
func results(icc []byte) string {
	value, _ := bertlv.Find(icc, tagResults)
	return hex.EncodeToString(value)
}

// scriptFor is the script that goes with every fourth approval of a chip whose issuer
// is behind the acquirer.
func (h *host) scriptFor(v *iso8583.View) string {
	if len(h.order)%4 != 0 || !v.Has(55) || !strings.HasPrefix(text(v, 2), "622424") {
		return ""
	}
	body := bertlv.Append(nil, tagScriptID, []byte(fmt.Sprintf("%04d", len(h.order)%10_000)))
	body = bertlv.Append(body, tagCommand, []byte{0x84, 0x1E, 0, 0, 4, 1, 2, 3, 4})
	return string(bertlv.Append(nil, tagScript, body))
}

// scriptTold takes in what a card did with a script, once per key, and moves nothing.
func (h *host) scriptTold(v *iso8583.View) *answer {
	e := h.entry(text(v, 7) + text(v, 11))
	if said := h.told(e, v, "script result", 60); said != nil {
		return said
	}
	h.about(e, v)
	e.known, e.said.code = true, "00"
	original := text(v, 90)
	o := h.books[original[10:20]+original[4:10]]
	switch {
	case o == nil || !o.known || o.said.script == "" || !strings.Contains(results(v.Raw(55)), hex.EncodeToString(idOf(o.said.script))):
		h.w.broken(2, "acquirer %s is told of a script that it did not send", h.name)
	case h.w.trouble("script result refused", 30):
		e.said.code = h.oneOf("05", "14", "57")
	}
	return &e.said
}

// idOf is the identifier of a script.
func idOf(script string) []byte {
	body, _ := bertlv.Find([]byte(script), tagScript)
	id, _ := bertlv.Find(body, tagScriptID)
	return id
}

// brought keeps, with an approval, what the card did with the script that came with it.
func (p *pos) brought(s *sale, icc []byte) {
	id := idOf(string(icc))
	if id == nil || slices.ContainsFunc(p.mem.scripts, func(r *sale) bool { return r.of == s }) {
		return
	}
	done := []byte{0x00, 0x11, 0x20}[p.w.rng.IntN(3)]
	p.mem.scripts = append(p.mem.scripts, p.result(s, string([]byte{done})+string(id)))
}

// result is a message about the script of an approval.
func (p *pos) result(of *sale, says string) *sale {
	p.mem.trace++
	return &sale{kind: oracle.ScriptResult, of: of, batch: of.batch, trace: p.mem.trace, amount: of.amount, card: of.card, entry: of.entry, script: says}
}

// telling builds the message: it is written like what the script came with.
func (p *pos) telling(s *sale) ([]byte, error) {
	like := *s
	like.kind = s.of.kind
	var b iso8583.Builder
	b.Reset(p.layout, 0x0620)
	p.common(&b, &like)
	b.SetString(37, s.of.rrn)
	b.SetString(38, s.of.auth)
	b.SetBytes(55, bertlv.Append(bertlv.Append(nil, tagResultsUP, []byte(s.script)), tagTVR, make([]byte, 5)))
	_, _, kind := asked(like.kind)
	b.SetString(60, fmt.Sprintf("%s%06d95160", kind, s.batch))
	b.SetString(61, fmt.Sprintf("%06d%06d0000", s.of.batch, s.of.trace))
	return p.sealed(&b)
}

// scriptTold takes the answer in. Whatever became of the approval since, it is there,
// so that nothing but trouble is a reason for a no.
func (p *pos) scriptTold(s *sale, code string) {
	switch code {
	case "00":
		p.mem.scripts = slices.DeleteFunc(p.mem.scripts, func(r *sale) bool { return r == s })
		p.mem.told = s
	case "12", "25", "30", "40", "64", "77", "94":
		p.w.broken(3, "terminal %s trace %06d: the result of a script is refused with %s", p.id, s.trace, code)
		p.mem.scripts = slices.DeleteFunc(p.mem.scripts, func(r *sale) bool { return r == s })
	}
}

// tellAgain tells once more what the switch has, as a terminal does that lost its
// place in its memory: the same under another number, or another thing, which is
// refused.
func (p *pos) tellAgain() {
	of, says := p.mem.told.of, p.mem.told.script
	p.mem.told = nil
	if p.w.rng.IntN(2) == 0 {
		p.vain("another result of a script", p.result(of, string([]byte{says[0] ^ 0x30})+says[1:]))
		return
	}
	p.w.fault("result of a script under another number")
	again := p.result(of, says)
	p.mem.scripts = append(p.mem.scripts, again)
	p.insist(again, false)
}
