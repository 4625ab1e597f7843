// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"

	"tapswitch/simulators/card"
)

// files are the configurations of the parts, as an operator would write them.
func (s stage) files() map[string]string {
	keys := card.TestKeys()
	module, err := softHSM()
	if err != nil {
		module = modulePaths()[0]
	}
	fill := strings.NewReplacer(
		"{dir}", s.Dir, "{switch}", s.Switch, "{observe}", s.Observe, "{hostA}", s.HostA, "{hostB}", s.HostB, "{module}", module,
		"{token}", demoToken, "{terminal}", demoTerminal, "{merchant}", demoMerchant,
		"{zpkA}", demoZPKa, "{zakA}", demoZAKa, "{zpkB}", demoZPKb, "{zakB}", demoZAKb,
		"{pvk}", keys.PVK, "{upIMK}", keys.UnionPayIMK, "{pin}", keys.PIN,
	)
	return map[string]string{
		"switch.yaml":   fill.Replace(switchFile),
		"acq-a.yaml":    fill.Replace(hostAFile),
		"acq-b.yaml":    fill.Replace(hostBFile),
		"terminal.yaml": fill.Replace(terminalFile),
		"softhsm2.conf": fmt.Sprintf("directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n", s.path("token")),
		"user.pin":      demoUserPIN + "\n",
		"tmk.hex":       demoTMK + "\n",
	}
}

const switchFile = `version: 1
environment: test
node: {name: demo, drain_ms: 5000}
listeners:
  - {name: pos, address: "{switch}", dialect: unionpaypos, private_line: true}
payment: {deadline_ms: 4000, max_in_flight: 256, pin_tries: 3}
journal: {dir: journal, segment_bytes: 1048576, max_bytes: 67108864}
history: {path: history.db}
hsm:
  module: {module}
  token: {token}
  user_pin: ${file:user.pin}
  sessions: 8
  timeout_ms: 800
  keystore: keystore
  softhsm_conf: softhsm2.conf
links:
  - {name: acq-a, dialect: iso87ascii, addresses: ["{hostA}"], institution: "40000001", timeout_ms: 2000, echo_ms: 5000, zpk: link/acq-a/zpk, zak: link/acq-a/zak, merchant_type: "5999"}
  - {name: acq-b, dialect: iso87ascii, addresses: ["{hostB}"], institution: "40000002", timeout_ms: 2000, echo_ms: 5000, zpk: link/acq-b/zpk, zak: link/acq-b/zak, merchant_type: "5999"}
issuers:
  - {name: test-visa, profile: visa_cvn10, imk: issuer/test-visa/imk, pvk: issuer/test-visa/pvk}
bins:
  - {low: "622424", high: "622424", scheme: unionpay, links: [acq-a]}
  - {low: "476173", high: "476173", scheme: visa, links: [acq-b], issuer: test-visa}
terminals:
  - {id: "{terminal}", merchant: "{merchant}", tmk: terminal/{terminal}/tmk, status: active}
reversal: {retry_ms: 500, max_retry_ms: 5000}
observe: {address: "{observe}", log: stderr, log_level: info}
pan: {seal: store/pan-seal, token: store/pan-token}
`

const hostAFile = `# A bank that issues its UnionPay cards itself: it checks PIN and cryptogram.
version: 1
name: acq-a
listen: {hostA}
books: acq-a.books.jsonl
institution: "40000001"
currency: "156"
keys: {zpk: {zpkA}, zak: {zakA}, pvk: {pvk}}
issuers:
  - {prefix: "622424", profile: unionpay-cvn01, imk: {upIMK}}
accounts:
  - {id: alice, pan: "6224242300000069", pin: "{pin}", balance_minor: 900000000}
`

const hostBFile = `# A bank whose Visa cards are on-us at the switch: it sees no PIN and keeps the account.
version: 1
name: acq-b
listen: {hostB}
books: acq-b.books.jsonl
institution: "40000002"
currency: "156"
keys: {zpk: {zpkB}, zak: {zakB}}
accounts:
  - {id: bob, pan: "4761739001010119", pin: "{pin}", balance_minor: 900000000}
`

const terminalFile = `version: 1
id: "{terminal}"
merchant: "{merchant}"
tmk: ${file:tmk.hex}
tpdu: "6000030000"
header: "603100310100"
switch: "{switch}"
private_line: true
reader: nfc
batch: "000001"
currency: 156
country: 156
limits: {cvm_minor: 100000, contactless_minor: 5000000}
ca_keys: ca-keys.json
state: terminal
log: terminal.log
`
