// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"slices"
)

// StandIn is what the switch may decide in the place of issuers out of reach.
type StandIn struct {
	Enabled   bool      `key:"enabled" help:"true: payments that could not be sent are decided here by the mandates below"`
	DayOffset int       `key:"day_offset_minutes" min:"-720" max:"840" help:"by how much a day of the limits begins before midnight UTC; 480 in China"`
	Mandates  []Mandate `key:"mandates" max:"256" help:"what issuers allow; bins refer to them"`
}

// Mandate is what one issuer allows. Amounts are minor units.
type Mandate struct {
	Name      string   `key:"name" need:"yes" kind:"name" help:"bins refer to it by stand_in"`
	Issuer    string   `key:"issuer" need:"yes" kind:"name" help:"whose keys check cryptogram and PIN: an entry of issuers, with pvk and atc_ahead"`
	MaxAmount int64    `key:"max_amount" need:"yes" min:"1" max:"999999999999" help:"most of one payment"`
	MaxCount  int      `key:"max_count" need:"yes" min:"1" max:"1000" help:"payments of one card in a day"`
	MaxSum    int64    `key:"max_sum" need:"yes" min:"1" max:"999999999999" help:"sum of one card in a day"`
	PINAbove  int64    `key:"pin_above" min:"0" max:"999999999999" help:"a payment above it needs a PIN; 0: every payment does"`
	Types     []string `key:"merchant_types" max:"1000" kind:"digits 4" help:"merchant types that may (ISO 18245); none: all that are not refused"`
	Refused   []string `key:"refused_merchant_types" max:"1000" kind:"digits 4" help:"merchant types that may not"`
}

// standIn refuses mandates that allow nothing, contradict themselves, or could
// not be checked.
func (d *decoder) standIn(c *Config) {
	var names []string
	for _, m := range c.StandIn.Mandates {
		names = append(names, m.Name)
	}
	used := map[string]bool{}
	for i, b := range c.BINs {
		at := fmt.Sprintf("bins[%d].stand_in", i)
		if b.StandIn == "" {
			continue
		}
		used[b.StandIn] = true
		d.refers("mandate", b.StandIn, names, at)
		if m := slices.Index(names, b.StandIn); m >= 0 && b.Issuer != "" && b.Issuer != c.StandIn.Mandates[m].Issuer && d.sound(at, fmt.Sprintf("bins[%d].issuer", i)) {
			d.contradiction(at, fmt.Sprintf("range %s-%s is of issuer %q and its mandate of %q", b.Low, b.High, b.Issuer, c.StandIn.Mandates[m].Issuer),
				"a card has one issuer, whose keys check it", "name the same issuer in both")
		}
	}
	if c.StandIn.Enabled && len(names) == 0 && d.sound("stand_in") {
		d.contradiction("stand_in.enabled", "stand_in.enabled without a mandate", "nothing would be decided here", "add mandates, or remove stand_in")
	}
	for i, m := range c.StandIn.Mandates {
		d.mandate(c, m, fmt.Sprintf("stand_in.mandates[%d]", i), used[m.Name])
	}
	d.merchantTypes(c)
}

// mandate is the ladder for one of them.
func (d *decoder) mandate(c *Config, m Mandate, at string, used bool) {
	if d.sound(at+".name") && !used {
		d.contradiction(at+".name", fmt.Sprintf("no range of bins has stand_in %q", m.Name), "a mandate is for cards that are named", "write `stand_in: "+m.Name+"` at the issuer's ranges, or remove the mandate")
	}
	if d.sound(at+".max_amount", at+".max_sum") && m.MaxAmount > m.MaxSum {
		d.contradiction(at+".max_amount", fmt.Sprintf("mandate %q: max_amount (%d) is above max_sum (%d)", m.Name, m.MaxAmount, m.MaxSum), "no payment of that size could fit into a day", "lower max_amount, or raise max_sum")
	}
	if d.sound(at+".max_amount", at+".pin_above") && m.PINAbove > m.MaxAmount {
		d.contradiction(at+".pin_above", fmt.Sprintf("mandate %q: pin_above (%d) is above max_amount (%d)", m.Name, m.PINAbove, m.MaxAmount), "there is no such payment", "write max_amount at most: then none needs a PIN")
	}
	for j, t := range m.Types {
		if path := fmt.Sprintf("%s.merchant_types[%d]", at, j); d.sound(path) && slices.Contains(m.Refused, t) {
			d.contradiction(path, fmt.Sprintf("mandate %q: merchant type %s may and may not", m.Name, t), "it is in refused_merchant_types too", "remove it from one of the two")
		}
	}
	if !d.sound(at + ".issuer") {
		return
	}
	k := slices.IndexFunc(c.Issuers, func(s Issuer) bool { return s.Name == m.Issuer })
	if k < 0 {
		var issuers []string
		for _, s := range c.Issuers {
			issuers = append(issuers, s.Name)
		}
		d.refers("issuer", m.Issuer, issuers, at+".issuer")
		return
	}
	s := c.Issuers[k]
	if s.PVK == "" && d.sound(fmt.Sprintf("issuers[%d].pvk", k)) {
		d.contradiction(at+".issuer", fmt.Sprintf("mandate %q: issuer %q has no pvk", m.Name, s.Name), "a PIN that was entered could not be verified here", "give the issuer its pvk, or remove the mandate")
	}
	if s.ATCAhead == 0 && d.sound(fmt.Sprintf("issuers[%d].atc_ahead", k)) {
		d.contradiction(at+".issuer", fmt.Sprintf("mandate %q: issuer %q has no atc_ahead", m.Name, s.Name), "a tap that is sent a second time could be approved a second time", "give the issuer its atc_ahead")
	}
}

// merchantTypes refuses a merchant of two types.
func (d *decoder) merchantTypes(c *Config) {
	first := map[string]int{}
	for i, t := range c.Terminals {
		at := fmt.Sprintf("terminals[%d].merchant_type", i)
		if !d.sound(at, fmt.Sprintf("terminals[%d].merchant", i)) {
			continue
		}
		j, known := first[t.Merchant]
		if !known {
			first[t.Merchant] = i
			continue
		}
		if c.Terminals[j].MerchantType != t.MerchantType {
			d.contradiction(at, fmt.Sprintf("terminal %q: its merchant has another merchant_type at terminal %q", t.ID, c.Terminals[j].ID), "a merchant has one type", "write the same at all its terminals, or at none")
		}
	}
}
