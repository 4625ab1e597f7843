// SPDX-License-Identifier: Apache-2.0

package txn

import (
	"fmt"
	"maps"
	"strings"
	"testing"
)

// reasonsPage is the page of reasons in one language. Each heading comes before the
// rows of one kind of reason.
type reasonsPage struct {
	file, list string
	docs       map[Reason]reasonDoc
	headings   [5]string
}

func reasonsPages() []reasonsPage {
	english := reasonDocs()
	maps.Copy(english, holdReasonDocs())
	maps.Copy(english, offlineReasonDocs())
	return []reasonsPage{
		{"reasons.md", "reasonDocs", english, [5]string{`# Reasons

[中文](reasons.zh.md)

Every no of the switch has one of these reasons, in the order in which a payment meets them. The reason is in the payment's event, in the
metric ` + "`tapswitch_flow_payments_total`" + ` and in the journal; the terminal gets the response code (field 39) alone, here as UnionPay POS and the
1987 edition write it; [the other dialects' codes](response-codes.md). Made from ` + "`txn.Reasons()`" + ` by ` + "`go test ./switch/txn -rewrite`" + `.

What an acquirer declines has the reason ` + "`declined_by_acquirer`" + ` and the acquirer's own code, unchanged.

| reason | code | what it means | what the operator does |
|---|---|---|---|
`, `
## Why a case is open

A payment that ends ` + "`disputed`" + ` has one of these in its ` + "`case`" + ` record, or the ` + "`act`" + ` of a drop, in the log and in ` + "`tapswitch_saf_cases_total`" + `; no terminal hears of it.
` + "`tapswitch txn cases`" + ` lists them.

| reason | what it means | what the operator does |
|---|---|---|
`, `
What a terminal uploads of a batch whose totals differ is held against the switch's payments. An item that is not one of them has one of these in its ` + "`upload`" + ` record; no payment
moves by it, and the terminal is told 00. ` + "`tapswitch txn cases`" + ` lists them too.

| reason | what it means | what the operator does |
|---|---|---|
`, `
## Why a batch is not balanced

The answer to a terminal that closes its batch has the response code 00 and tells in its totals that they are not balanced; so has the answer to an upload
that opened cases. The event and ` + "`tapswitch_flow_payments_total`" + ` have one of these.

| reason | what it means | what the operator does |
|---|---|---|
`, `
## Why an offline sale is held

A terminal that sells more than its ` + "`offline`" + ` limits without asking has sold it: the sale is kept, its terminal is told 00, and nothing is sent to the acquirer until an operator lets it go or drops it
([what waits for an acquirer](../operating/store-and-forward.md)). The event, ` + "`tapswitch_flow_payments_total`" + ` and the hold have one of these.

| reason | what it means | what the operator does |
|---|---|---|
`}},
		{"reasons.zh.md", "reasonDocsZH", reasonDocsZH(), [5]string{`# 拒绝原因

[English](reasons.md)

交换系统的每一个拒绝都有下列原因之一，按交易经过检查的顺序排列。原因写在交易事件、指标 ` + "`tapswitch_flow_payments_total`" + ` 和日志中；终端只得到应答码（39 域），
此处为银联 POS 与 1987 版的写法；[其他方言的应答码](response-codes.md)。由 ` + "`go test ./switch/txn -rewrite`" + ` 根据 ` + "`txn.Reasons()`" + ` 生成。

收单行的拒绝，其原因为 ` + "`declined_by_acquirer`" + `，应答码为收单行自己的，不作改动。

| 原因 | 应答码 | 含义 | 操作员如何处理 |
|---|---|---|---|
`, `
## 案件为何未结

以 ` + "`disputed`" + ` 结束的交易，其 ` + "`case`" + ` 记录、日志和 ` + "`tapswitch_saf_cases_total`" + ` 中有下列原因之一；终端不会得知。` + "`tapswitch txn cases`" + ` 列出全部。

| 原因 | 含义 | 操作员如何处理 |
|---|---|---|
`, `
总计不平的批次由终端逐笔批上送，与交换系统的交易核对。不符的明细在 ` + "`upload`" + ` 记录中有下列原因之一；不因此改动任何交易，终端得到 00。` + "`tapswitch txn cases`" + ` 同样列出。

| 原因 | 含义 | 操作员如何处理 |
|---|---|---|
`, `
## 批次为何不平

终端结算的应答码为 00，总计中说明不平；批上送引起案件时应答码也是 00。事件与 ` + "`tapswitch_flow_payments_total`" + ` 中有下列原因之一。

| 原因 | 含义 | 操作员如何处理 |
|---|---|---|
`, `
## 离线交易为何被暂存

终端未经联机而超过 ` + "`offline`" + ` 限额的离线结算，货物已经交付：交换系统照样保存，终端得到 00，但在操作员放行或停止之前不向收单行发送
（[待发给收单行的报文](../operating/store-and-forward.md)）。事件、` + "`tapswitch_flow_payments_total`" + ` 与暂存记录中有下列原因之一。

| 原因 | 含义 | 操作员如何处理 |
|---|---|---|
`}},
	}
}

// TestReasonsPage generates docs/reference/reasons.md and reasons.zh.md from Reasons.
func TestReasonsPage(t *testing.T) {
	for _, p := range reasonsPages() {
		var b strings.Builder
		row := func(r Reason, code string) {
			doc, ok := p.docs[r]
			if !ok {
				t.Errorf("reason %s has no line in %s", r, p.list)
				return
			}
			fmt.Fprintf(&b, "| `%s` | %s%s | %s |\n", r, code, doc.means, doc.do)
			delete(p.docs, r)
		}
		b.WriteString(p.headings[0])
		for _, d := range Reasons() {
			row(d.Reason, d.Code.String()+" | ")
		}
		b.WriteString(p.headings[1])
		for _, r := range CaseReasons() {
			row(r, "")
		}
		b.WriteString(p.headings[2])
		for _, r := range UploadReasons() {
			row(r, "")
		}
		b.WriteString(p.headings[3])
		for _, r := range BatchReasons() {
			row(r, "")
		}
		b.WriteString(p.headings[4])
		for _, r := range OfflineReasons() {
			row(r, "")
		}
		for r := range p.docs {
			t.Errorf("%s explains %s, which is no reason", p.list, r)
		}
		page(t, p.file, b.String())
	}
}
