// SPDX-License-Identifier: Apache-2.0

#include "forget.h"
#include "form.h"

typedef struct { ts_ulong type; void *value; ts_ulong len; } ts_attribute;
typedef ts_ulong (*create_fn)(ts_ulong, ts_attribute *, ts_ulong, ts_ulong *);

// As in fused.c: a version and the functions in the order of the standard.
typedef struct { unsigned char version[2]; void *fn[68]; } ts_functions;

static void *fn(ts_module f, int at) { return ((ts_functions *)f)->fn[at]; }

enum {
	FN_CREATE = 20,
	CKA_CLASS = 0x0, CKA_TOKEN = 0x1, CKA_PRIVATE = 0x2, CKA_LABEL = 0x3, CKA_VALUE = 0x11, CKA_KEY_TYPE = 0x100,
	CKA_ID = 0x102, CKA_SENSITIVE = 0x103, CKA_ENCRYPT = 0x104, CKA_DECRYPT = 0x105, CKA_WRAP = 0x106,
	CKA_UNWRAP = 0x107, CKA_SIGN = 0x108, CKA_VERIFY = 0x10A, CKA_DERIVE = 0x10C, CKA_EXTRACTABLE = 0x162,
	CKA_MODIFIABLE = 0x170, CKA_COPYABLE = 0x171, CKA_UNWRAP_TEMPLATE = 0x40000212,
	CKO_SECRET_KEY = 4, CKK_AES = 0x1F,
};

ts_ulong ts_form(ts_module f, ts_ulong session, int role, int token, unsigned char *label, ts_ulong labeln,
	unsigned char *id, ts_ulong idn, unsigned char *value, ts_ulong n, ts_ulong *key)
{
	ts_ulong class = CKO_SECRET_KEY, type = CKK_AES;
	unsigned char yes = 1, no = 0, stays = token != 0;
	unsigned char wraps = role == TS_WRAPPING, unwraps = role != TS_BINDING, signs = role == TS_BINDING;
	unsigned char extractable = role == TS_MIGRATING;
	ts_attribute unwrapped[] = { { CKA_SENSITIVE, &yes, 1 }, { CKA_EXTRACTABLE, &extractable, 1 } };
	ts_attribute t[] = {
		{ CKA_CLASS, &class, sizeof class }, { CKA_KEY_TYPE, &type, sizeof type },
		{ CKA_TOKEN, &stays, 1 }, { CKA_PRIVATE, &yes, 1 }, { CKA_LABEL, label, labeln }, { CKA_ID, id, idn },
		{ CKA_SENSITIVE, &yes, 1 }, { CKA_EXTRACTABLE, &no, 1 }, { CKA_MODIFIABLE, &no, 1 }, { CKA_COPYABLE, &no, 1 },
		{ CKA_ENCRYPT, &no, 1 }, { CKA_DECRYPT, &no, 1 }, { CKA_VERIFY, &no, 1 }, { CKA_DERIVE, &no, 1 },
		{ CKA_SIGN, &signs, 1 }, { CKA_WRAP, &wraps, 1 }, { CKA_UNWRAP, &unwraps, 1 },
		{ CKA_VALUE, value, n }, { CKA_UNWRAP_TEMPLATE, unwrapped, sizeof unwrapped },
	};
	ts_ulong count = sizeof t / sizeof t[0];
	if (role == TS_BINDING)
		count--; // it unwraps nothing
	ts_ulong rv = ((create_fn)fn(f, FN_CREATE))(session, t, count, key);
	ts_forget();
	return rv;
}

ts_ulong ts_component(ts_module f, ts_ulong session, unsigned char *value, ts_ulong n, ts_ulong *key)
{
	ts_ulong class = CKO_SECRET_KEY, type = CKK_AES;
	unsigned char yes = 1, no = 0;
	ts_attribute t[] = {
		{ CKA_CLASS, &class, sizeof class }, { CKA_KEY_TYPE, &type, sizeof type },
		{ CKA_TOKEN, &no, 1 }, { CKA_SENSITIVE, &yes, 1 }, { CKA_EXTRACTABLE, &no, 1 },
		{ CKA_SIGN, &yes, 1 }, { CKA_VALUE, value, n },
	};
	ts_ulong rv = ((create_fn)fn(f, FN_CREATE))(session, t, sizeof t / sizeof t[0], key);
	ts_forget();
	return rv;
}
