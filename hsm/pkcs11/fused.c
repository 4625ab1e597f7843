// SPDX-License-Identifier: Apache-2.0

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "forget.h"
#include "fused.h"

typedef struct { ts_ulong mechanism; void *parameter; ts_ulong len; } ts_mechanism;
typedef struct { ts_ulong type; void *value; ts_ulong len; } ts_attribute;
typedef struct { void *data; ts_ulong len; } ts_string_data;
typedef struct {
	void *iv; ts_ulong ivlen; ts_ulong ivbits;
	void *aad; ts_ulong aadlen; ts_ulong tagbits;
} ts_gcm_params;

// CK_FUNCTION_LIST: a version and the functions in the order of the standard.
typedef struct { unsigned char version[2]; void *fn[68]; } ts_functions;

static void *fn(ts_module f, int at) { return ((ts_functions *)f)->fn[at]; }

enum {
	FN_CREATE = 20, FN_DESTROY = 22, FN_ENCRYPT_INIT = 29, FN_ENCRYPT = 30, FN_DECRYPT_INIT = 33,
	FN_DECRYPT = 34, FN_SIGN_INIT = 42, FN_SIGN = 43, FN_DERIVE = 62, FN_RANDOM = 64,
};

enum {
	CKA_CLASS = 0x0, CKA_TOKEN = 0x1, CKA_VALUE = 0x11, CKA_KEY_TYPE = 0x100, CKA_SENSITIVE = 0x103,
	CKA_ENCRYPT = 0x104, CKA_DECRYPT = 0x105, CKA_SIGN = 0x108, CKA_DERIVE = 0x10C, CKA_VALUE_LEN = 0x161,
	CKA_EXTRACTABLE = 0x162,
	CKO_SECRET_KEY = 4, CKK_GENERIC_SECRET = 0x10, CKK_DES2 = 0x14,
	CKM_AES_GCM = 0x1087, CKM_AES_CBC = 0x1082, CKM_DES3_ECB = 0x132, CKM_DES3_CBC = 0x133, CKM_DES3_ECB_ENCRYPT_DATA = 0x1102,
	CKR_FUNCTION_FAILED = 0x6,
};

typedef ts_ulong (*init_fn)(ts_ulong, ts_mechanism *, ts_ulong);
typedef ts_ulong (*crypt_fn)(ts_ulong, void *, ts_ulong, void *, ts_ulong *);
typedef ts_ulong (*create_fn)(ts_ulong, ts_attribute *, ts_ulong, ts_ulong *);
typedef ts_ulong (*derive_fn)(ts_ulong, ts_mechanism *, ts_ulong, ts_attribute *, ts_ulong, ts_ulong *);
typedef ts_ulong (*random_fn)(ts_ulong, void *, ts_ulong);
typedef ts_ulong (*destroy_fn)(ts_ulong, ts_ulong);
typedef ts_ulong (*list_fn)(ts_functions **);

ts_module ts_load(const char *path, char *why, int whylen)
{
	ts_functions *f = 0;
	void *lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	list_fn list = lib ? (list_fn)dlsym(lib, "C_GetFunctionList") : 0;
	if (!list) {
		const char *e = dlerror();
		snprintf(why, (size_t)whylen, "%s", e ? e : "it has no C_GetFunctionList");
		return 0;
	}
	if (list(&f) != 0 || !f) {
		snprintf(why, (size_t)whylen, "C_GetFunctionList failed");
		return 0;
	}
	return (ts_module)f;
}

// init_and runs one Init and its operation; exactly *outn bytes must come out
// unless exact is 0.
static ts_ulong init_and(ts_module f, int init, int op, ts_ulong session, ts_mechanism *m,
	ts_ulong key, void *in, ts_ulong n, void *out, ts_ulong *outn, int exact)
{
	ts_ulong want = *outn;
	unsigned char nothing = 0;
	if (!in)
		in = &nothing; // modules refuse a null pointer even for no bytes
	ts_ulong rv = ((init_fn)fn(f, init))(session, m, key);
	if (rv == 0)
		rv = ((crypt_fn)fn(f, op))(session, in, n, out, outn);
	if (rv == 0 && exact && *outn != want)
		rv = CKR_FUNCTION_FAILED;
	ts_forget();
	return rv;
}

ts_ulong ts_crypt(ts_module f, ts_ulong session, int encipher, ts_ulong mechanism,
	unsigned char *iv, ts_ulong key, unsigned char *in, ts_ulong n, unsigned char *out)
{
	ts_mechanism m = { mechanism, iv, !iv ? 0 : mechanism == CKM_AES_CBC ? 16 : 8 };
	ts_ulong outn = n;
	return init_and(f, encipher ? FN_ENCRYPT_INIT : FN_DECRYPT_INIT, encipher ? FN_ENCRYPT : FN_DECRYPT,
		session, &m, key, in, n, out, &outn, 1);
}

ts_ulong ts_chain2(ts_module f, ts_ulong session, ts_ulong key, unsigned char *first, unsigned char *second,
	unsigned char *out)
{
	unsigned char block[8];
	ts_ulong rv = ts_crypt(f, session, 1, CKM_DES3_ECB, 0, key, first, 8, block);
	if (rv != 0)
		return rv;
	for (int i = 0; i < 8; i++)
		block[i] ^= second[i];
	return ts_crypt(f, session, 1, CKM_DES3_ECB, 0, key, block, 8, out);
}

ts_ulong ts_alg3(ts_module f, ts_ulong session, ts_ulong doubled, ts_ulong whole,
	unsigned char *in, ts_ulong n, unsigned char *out)
{
	unsigned char iv[8] = { 0 }, *last = in + n - 8;
	if (n > 8) {
		ts_ulong rv = ts_crypt(f, session, 1, CKM_DES3_CBC, iv, doubled, in, n - 8, in);
		if (rv != 0)
			return rv;
		for (int i = 0; i < 8; i++)
			last[i] ^= last[i - 8];
	}
	return ts_crypt(f, session, 1, CKM_DES3_ECB, 0, whole, last, 8, out);
}

ts_ulong ts_sign(ts_module f, ts_ulong session, ts_ulong mechanism, ts_ulong key,
	unsigned char *in, ts_ulong n, unsigned char *out, ts_ulong outn)
{
	ts_mechanism m = { mechanism, 0, 0 };
	return init_and(f, FN_SIGN_INIT, FN_SIGN, session, &m, key, in, n, out, &outn, 1);
}

ts_ulong ts_gcm(ts_module f, ts_ulong session, int encipher, ts_ulong key, unsigned char *nonce,
	unsigned char *aad, ts_ulong aadn, unsigned char *in, ts_ulong n, unsigned char *out, ts_ulong *outn)
{
	ts_gcm_params p = { nonce, 12, 96, aad, aadn, 128 };
	ts_mechanism m = { CKM_AES_GCM, &p, sizeof p };
	return init_and(f, encipher ? FN_ENCRYPT_INIT : FN_DECRYPT_INIT, encipher ? FN_ENCRYPT : FN_DECRYPT,
		session, &m, key, in, n, out, outn, 0);
}

ts_ulong ts_derive(ts_module f, ts_ulong session, ts_ulong base, unsigned char *data,
	int extractable, ts_ulong *key)
{
	ts_string_data s = { data, 16 };
	ts_mechanism m = { CKM_DES3_ECB_ENCRYPT_DATA, &s, sizeof s };
	ts_ulong class = CKO_SECRET_KEY, type = CKK_DES2;
	unsigned char yes = 1, no = 0, extract = extractable ? 1 : 0;
	ts_attribute t[] = {
		{ CKA_CLASS, &class, sizeof class }, { CKA_KEY_TYPE, &type, sizeof type },
		{ CKA_TOKEN, &no, 1 }, { CKA_SENSITIVE, &yes, 1 }, { CKA_EXTRACTABLE, &extract, 1 },
		{ CKA_ENCRYPT, &yes, 1 }, { CKA_DERIVE, &yes, 1 },
	};
	ts_ulong rv = ((derive_fn)fn(f, FN_DERIVE))(session, &m, base, t, sizeof t / sizeof t[0], key);
	ts_forget();
	return rv;
}

ts_ulong ts_import(ts_module f, ts_ulong session, ts_ulong type, unsigned char *value, ts_ulong n,
	ts_ulong *key)
{
	ts_ulong class = CKO_SECRET_KEY;
	unsigned char yes = 1, no = 0, cipher = type != CKK_GENERIC_SECRET; // which only signs
	ts_attribute t[] = {
		{ CKA_CLASS, &class, sizeof class }, { CKA_KEY_TYPE, &type, sizeof type },
		{ CKA_TOKEN, &no, 1 }, { CKA_SENSITIVE, &yes, 1 }, { CKA_EXTRACTABLE, &yes, 1 },
		{ CKA_ENCRYPT, &cipher, 1 }, { CKA_SIGN, &yes, 1 }, { CKA_VALUE, value, n },
	};
	ts_ulong rv = ((create_fn)fn(f, FN_CREATE))(session, t, sizeof t / sizeof t[0], key);
	ts_forget();
	return rv;
}

// working fills t with the nine attributes of a key that stays inside, sensitive
// and, unless it may be wrapped, not extractable, and may do what may says.
static void working(ts_attribute *t, ts_ulong *class, ts_ulong *type, int may)
{
	static unsigned char bit[2] = { 0, 1 };
	ts_attribute all[] = {
		{ CKA_CLASS, class, sizeof *class }, { CKA_KEY_TYPE, type, sizeof *type },
		{ CKA_TOKEN, &bit[0], 1 }, { CKA_SENSITIVE, &bit[1], 1 }, { CKA_EXTRACTABLE, &bit[!!(may & TS_WRAPPED)], 1 },
		{ CKA_ENCRYPT, &bit[!!(may & TS_ENCRYPT)], 1 }, { CKA_DECRYPT, &bit[!!(may & TS_DECRYPT)], 1 },
		{ CKA_SIGN, &bit[!!(may & TS_SIGN)], 1 }, { CKA_DERIVE, &bit[!!(may & TS_DERIVE)], 1 },
	};
	memcpy(t, all, sizeof all);
}

ts_ulong ts_derive_working(ts_module f, ts_ulong session, ts_ulong mechanism, ts_ulong base,
	unsigned char *data, ts_ulong n, ts_ulong type, ts_ulong len, int may, ts_ulong *key)
{
	ts_string_data s = { data, n };
	ts_mechanism m = { mechanism, &s, sizeof s };
	ts_ulong class = CKO_SECRET_KEY;
	ts_attribute t[10];
	working(t, &class, &type, may);
	t[9] = (ts_attribute){ CKA_VALUE_LEN, &len, sizeof len };
	ts_ulong rv = ((derive_fn)fn(f, FN_DERIVE))(session, &m, base, t, len ? 10 : 9, key);
	ts_forget();
	return rv;
}

ts_ulong ts_import_working(ts_module f, ts_ulong session, ts_ulong type, unsigned char *value,
	ts_ulong n, int may, ts_ulong *key)
{
	ts_ulong class = CKO_SECRET_KEY;
	ts_attribute t[10];
	working(t, &class, &type, may);
	t[9] = (ts_attribute){ CKA_VALUE, value, n };
	ts_ulong rv = ((create_fn)fn(f, FN_CREATE))(session, t, 10, key);
	ts_forget();
	return rv;
}

ts_ulong ts_random(ts_module f, ts_ulong session, unsigned char *out, ts_ulong n)
{
	ts_ulong rv = ((random_fn)fn(f, FN_RANDOM))(session, out, n);
	ts_forget();
	return rv;
}

ts_ulong ts_destroy(ts_module f, ts_ulong session, ts_ulong object)
{
	return ((destroy_fn)fn(f, FN_DESTROY))(session, object);
}
