// SPDX-License-Identifier: Apache-2.0

// Making local master keys of clear bytes in the caller's locked page: no copy
// goes through the C heap, as a general binding would make one.

#ifndef TAPSWITCH_FORM_H
#define TAPSWITCH_FORM_H

#include "fused.h"

// The roles of a key made by ts_form.
enum {
	TS_WRAPPING = 1, // wraps and unwraps; what it unwraps is sensitive and not extractable
	TS_BINDING = 2,  // signs
	TS_MIGRATING = 3, // unwraps alone; what it unwraps is sensitive and extractable
};

// ts_form makes an AES-256 key that is sensitive, not extractable, and cannot
// be changed or copied; on the token when token is not 0, else in the session.
ts_ulong ts_form(ts_module f, ts_ulong session, int role, int token, unsigned char *label, ts_ulong labeln,
	unsigned char *id, ts_ulong idn, unsigned char *value, ts_ulong n, ts_ulong *key);

// ts_component makes a session key of a component, good for check values and
// derivation by CMAC, and for nothing else.
ts_ulong ts_component(ts_module f, ts_ulong session, unsigned char *value, ts_ulong n, ts_ulong *key);

#endif
