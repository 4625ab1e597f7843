// SPDX-License-Identifier: Apache-2.0

package ceremony

import (
	"fmt"
	"strings"
)

// Lang is a language of the texts.
type Lang int

// The languages in service.
const (
	English Lang = iota
	Chinese
	numLangs
)

// ParseLang reads "en" or "zh".
func ParseLang(s string) (Lang, error) {
	switch s {
	case "en":
		return English, nil
	case "zh":
		return Chinese, nil
	}
	return 0, fmt.Errorf("%w: language %q: en or zh", ErrPlan, s)
}

// Text names what is said at the desk. Refusals carry their name, which is the
// same in every language.
type Text string

// What is said.
const (
	SayPractice    Text = "practice"
	SayBegun       Text = "begun"
	SayResumed     Text = "resumed"
	SayMake        Text = "make"
	SayCheck       Text = "check"
	SayWritten     Text = "written"
	SayAsk         Text = "ask"
	SayAskKnown    Text = "ask_known"
	SayReadBack    Text = "read_back"
	SayVerified    Text = "verified"
	SayWrong       Text = "wrong_component"
	SayAnew        Text = "component_anew"
	SayTwice       Text = "same_component_twice"
	SayZero        Text = "component_is_zero"
	SayGroup       Text = "mistyped_group"
	SayDigits      Text = "mistyped_digits"
	SayCombined    Text = "combined"
	SayOther       Text = "other_local_master_key"
	SayYes         Text = "yes"
	SayNo          Text = "not_confirmed"
	SayFormed      Text = "formed"
	SayMoved       Text = "moved"
	SayThrown      Text = "thrown_away"
	SayAborted     Text = "aborted"
	SayAbortedKeep Text = "aborted_keep"
	SayHead        Text = "head"
	SayPurpose     Text = "purpose_" // followed by the purpose
)

// texts are all of them: English, Chinese. Arguments are numbered, so that each
// language may have its own order.
var texts = map[Text][numLangs]string{
	SayPractice: {"*** PRACTICE: throw-away values; nothing formed here protects anything ***", "*** 演练：一次性数值；此处生成的任何内容都不起保护作用 ***"},
	SayBegun: {"Key ceremony (%[1]s): token %[2]s, generation %[3]d of the local master key; officer %[4]s, witness %[5]s, custodians %[6]s. Type abort to stop.",
		"密钥仪式（%[1]s）：令牌 %[2]s，本地主密钥第 %[3]d 代；主持人 %[4]s，见证人 %[5]s，保管人 %[6]s。输入 abort 终止。"},
	SayResumed: {"The ceremony goes on where it was interrupted. Components are not kept: each custodian enters a component already verified once more.",
		"仪式从中断处继续。分量不予保存：已核对过的分量由各保管人再输入一次。"},
	SayMake: {"%[1]s: this is your component. Write down each group with its check digit, and the check value. It is shown once.",
		"%[1]s：这是您的分量。请逐组抄录（含校验位）并抄录校验值。仅显示一次。"},
	SayCheck:    {"check value %[1]s", "校验值 %[1]s"},
	SayWritten:  {"Press Enter when it is written down; the screen is cleared.", "抄录完毕后按回车键，屏幕将清除。"},
	SayAsk:      {"%[1]s: type your component (nothing is shown)", "%[1]s：请输入您的分量（不显示）"},
	SayAskKnown: {"%[1]s: type your component with check value %[2]s (nothing is shown)", "%[1]s：请输入校验值为 %[2]s 的分量（不显示）"},
	SayReadBack: {"%[1]s: type your component once more, from what you wrote down (nothing is shown)", "%[1]s：请按抄录内容再输入一次您的分量（不显示）"},
	SayVerified: {"%[1]s: component verified, check value %[2]s", "%[1]s：分量核对一致，校验值 %[2]s"},
	SayWrong: {"REFUSED wrong_component: %[1]s, what you typed has check value %[2]s, your component has %[3]s. Compare each group and type it again.",
		"REFUSED wrong_component：%[1]s，您输入内容的校验值为 %[2]s，您的分量应为 %[3]s。请逐组核对后重新输入。"},
	SayAnew: {"REFUSED component_anew: %[1]s, it never matched, so this component is given up. Destroy what you wrote down; we begin with it anew.",
		"REFUSED component_anew：%[1]s，多次不一致，该分量作废。请销毁抄录件，重新开始。"},
	SayTwice: {"REFUSED same_component_twice: %[1]s, check value %[2]s belongs to another custodian's component; two of the same cancel out.",
		"REFUSED same_component_twice：%[1]s，校验值 %[2]s 属于另一保管人的分量；相同分量会互相抵消。"},
	SayZero: {"REFUSED component_is_zero: %[1]s, a component of zeros hides nothing.", "REFUSED component_is_zero：%[1]s，全零分量不起作用。"},
	SayGroup: {"REFUSED mistyped_group: %[1]s, the check digit of group %[2]d does not match. Type the component again.",
		"REFUSED mistyped_group：%[1]s，第 %[2]d 组校验位不符。请重新输入分量。"},
	SayDigits: {"REFUSED mistyped_digits: %[1]s, %[2]d hex digits were typed, want 64, or 72 with check digits. Type the component again.",
		"REFUSED mistyped_digits：%[1]s，输入了 %[2]d 个十六进制数字，应为 64 个（含校验位为 72 个）。请重新输入分量。"},
	SayCombined: {"All %[1]d components are verified. Local master key: check value %[2]s, identity %[3]s", "全部 %[1]d 个分量已核对。本地主密钥：校验值 %[2]s，标识 %[3]s"},
	SayOther: {"REFUSED other_local_master_key: these components give identity %[1]s, not %[2]s. Nothing was formed.",
		"REFUSED other_local_master_key：这些分量得出的标识为 %[1]s，而非 %[2]s。未生成任何密钥。"},
	SayYes:    {"%[1]s: compare with your record, and type the check value of the local master key to say yes", "%[1]s：请与记录比对，并输入本地主密钥的校验值以示同意"},
	SayNo:     {"REFUSED not_confirmed: %[1]s, that is not the check value of the local master key.", "REFUSED not_confirmed：%[1]s，这不是本地主密钥的校验值。"},
	SayFormed: {"Done: generation %[1]d of the local master key, identity %[2]s, is on token %[3]s.", "完成：本地主密钥第 %[1]d 代（标识 %[2]s）已写入令牌 %[3]s。"},
	SayMoved: {"Done: %[1]d stored keys moved from generation %[2]d to the newest. It may be retired when every switch was restarted.",
		"完成：%[1]d 个存储密钥已从第 %[2]d 代迁移到最新一代。所有交换节点重启后可将其退役。"},
	SayThrown:      {"Done: generation %[1]d, identity %[2]s, was formed in the session and thrown away.", "完成：第 %[1]d 代（标识 %[2]s）仅在会话中生成，现已丢弃。"},
	SayAborted:     {"The ceremony was aborted. Nothing was formed. Destroy what was written down.", "仪式已终止。未生成任何密钥。请销毁所有抄录件。"},
	SayAbortedKeep: {"The ceremony was aborted. Nothing was changed. Custodians keep their components.", "仪式已终止。未作任何更改。各保管人请继续保管其分量。"},
	SayHead:        {"Officer and witness write down: the transcript ends with %[1]s", "请主持人与见证人记录：仪式记录的末尾散列为 %[1]s"},

	SayPurpose + "generate": {"components are made", "生成分量"},
	SayPurpose + "enter":    {"components are brought along", "录入已有分量"},
	SayPurpose + "restore":  {"components of an earlier ceremony", "恢复：录入以往仪式的分量"},
	SayPurpose + "migrate":  {"stored keys move to the next generation", "迁移：存储密钥转入下一代"},
}

// say is a text with its arguments.
func (l Lang) say(t Text, args ...any) string { return fmt.Sprintf(texts[t][l], args...) }

// telling is the text of a Tell in a state.
func (l Lang) telling(s State, a Action) string {
	p := s.Plan
	switch a.Text {
	case SayBegun:
		return l.say(SayBegun, l.say(SayPurpose+Text(p.Purpose)), p.Token, p.Generation, p.Officer, p.Witness, strings.Join(p.Custodians, ", "))
	case SayVerified, SayTwice:
		return l.say(a.Text, a.Who, a.Got)
	case SayWrong:
		return l.say(a.Text, a.Who, a.Got, a.Known)
	case SayAnew, SayZero:
		return l.say(a.Text, a.Who)
	case SayGroup, SayDigits:
		return l.say(a.Text, a.Who, a.Count)
	case SayCombined:
		return l.say(a.Text, len(s.Parts), s.Check, s.Identity)
	case SayOther:
		return l.say(a.Text, s.Identity, p.Identity)
	case SayFormed:
		return l.ending(s)
	}
	return l.say(a.Text)
}

// ending says what a ceremony came to.
func (l Lang) ending(s State) string {
	p := s.Plan
	switch {
	case p.Practice:
		return l.say(SayThrown, p.Generation, s.Identity)
	case p.Purpose == Migrate:
		return l.say(SayMoved, s.Keys, p.Generation)
	}
	return l.say(SayFormed, p.Generation, s.Identity, p.Token)
}
