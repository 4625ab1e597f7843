// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"

	"tapswitch/switch/txn"
)

// sameToken refuses a start with another token key than that of what is stored: wrong
// PINs and used counters would count from nothing, and nobody's card would be the one
// that paid. The newest payment tells for all; one whose card number does not open
// says nothing.
func (n *Node) sameToken(c *cards) error {
	var newest *txn.Payment
	n.index.Each(func(p txn.Payment) {
		if len(p.SealedPAN) > 0 && c.sealOf(&p) != nil {
			newest = &p
		}
	})
	if newest == nil {
		return nil
	}
	pan, err := c.open(context.Background(), newest)
	if err != nil {
		return nil
	}
	defer pan.Wipe()
	token, err := c.Token(context.Background(), pan)
	if err != nil || token == newest.Token {
		return nil
	}
	return fmt.Errorf("pan.token: key %q version %d is not the one under which payments are stored: with it no card would be found again, and wrong PINs and used counters would not count; "+
		"put the former name back", c.token.Name, c.token.Version)
}
