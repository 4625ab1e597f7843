// SPDX-License-Identifier: Apache-2.0

package bertlv

// WalkDOL calls each entry of a data object list (PDOL, CDOL): a tag and the
// length the card wants, without values. It returns the list's fault or the
// first error of each.
func WalkDOL(list []byte, each func(tag Tag, length int) error) error {
	for at := 0; at < len(list); {
		tag, n, reason := readTag(list[at:])
		if reason != "" {
			return &Error{at, reason}
		}
		if at+n == len(list) {
			return &Error{at, LengthTruncated}
		}
		if err := each(tag, int(list[at+n])); err != nil {
			return err
		}
		at += n + 1
	}
	return nil
}
