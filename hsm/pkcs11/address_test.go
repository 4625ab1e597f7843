// SPDX-License-Identifier: Apache-2.0

package pkcs11

import "unsafe"

// addressOf is where p points to, for a search of this process's own memory.
func addressOf[T any](p *T) uintptr { return uintptr(unsafe.Pointer(p)) }
