// SPDX-License-Identifier: Apache-2.0

// One C call for each pair of Init and operation, over buffers of the caller:
// clear bytes stay in the locked page they are in. Only what the driver needs
// of PKCS#11 v2.40 is declared; layouts are those of a 64-bit POSIX system.

#ifndef TAPSWITCH_FUSED_H
#define TAPSWITCH_FUSED_H

typedef unsigned long ts_ulong;

// ts_module is the address of a module's functions, as a number: at each call cgo
// looks into what a pointer of an unknown type points to.
typedef unsigned long ts_module;

// ts_load opens the module (again: the loader counts) and finds its functions.
// On failure it returns 0 and why holds the loader's message.
ts_module ts_load(const char *path, char *why, int whylen);

// ts_crypt enciphers or deciphers n bytes; iv is 0 or one block of CBC.
ts_ulong ts_crypt(ts_module f, ts_ulong session, int encipher, ts_ulong mechanism,
	unsigned char *iv, ts_ulong key, unsigned char *in, ts_ulong n, unsigned char *out);

// ts_chain2 enciphers 8 bytes, xors the result with 8 more and enciphers that:
// both operations of a UnionPay MAC in one call.
ts_ulong ts_chain2(ts_module f, ts_ulong session, ts_ulong key, unsigned char *first, unsigned char *second,
	unsigned char *out);

// ts_alg3 is ISO 9797-1 algorithm 3 over n bytes, whole blocks: CBC under K1||K1 for
// all but the last, the whole key for that one. The bytes are used up.
ts_ulong ts_alg3(ts_module f, ts_ulong session, ts_ulong doubled, ts_ulong whole,
	unsigned char *in, ts_ulong n, unsigned char *out);

// ts_sign signs n bytes into a signature of exactly outn bytes.
ts_ulong ts_sign(ts_module f, ts_ulong session, ts_ulong mechanism, ts_ulong key,
	unsigned char *in, ts_ulong n, unsigned char *out, ts_ulong outn);

// ts_gcm is AES-GCM with a nonce of 12 and a tag of 16 bytes.
ts_ulong ts_gcm(ts_module f, ts_ulong session, int encipher, ts_ulong key, unsigned char *nonce,
	unsigned char *aad, ts_ulong aadn, unsigned char *in, ts_ulong n, unsigned char *out, ts_ulong *outn);

// ts_derive makes a double-length DES session key from 16 bytes enciphered under base.
ts_ulong ts_derive(ts_module f, ts_ulong session, ts_ulong base, unsigned char *data,
	int extractable, ts_ulong *key);

// ts_import makes a session key, extractable so that it can be wrapped at once.
ts_ulong ts_import(ts_module f, ts_ulong session, ts_ulong type, unsigned char *value, ts_ulong n,
	ts_ulong *key);

// What a working key may do.
enum { TS_ENCRYPT = 1, TS_DECRYPT = 2, TS_SIGN = 4, TS_DERIVE = 8, TS_WRAPPED = 16 };

// ts_derive_working makes a session key of n bytes, whole blocks, enciphered under
// base by the mechanism, cut to len bytes; len is 0 for types of a fixed length.
ts_ulong ts_derive_working(ts_module f, ts_ulong session, ts_ulong mechanism, ts_ulong base,
	unsigned char *data, ts_ulong n, ts_ulong type, ts_ulong len, int may, ts_ulong *key);

// ts_import_working makes a session key that is used and never wrapped.
ts_ulong ts_import_working(ts_module f, ts_ulong session, ts_ulong type, unsigned char *value,
	ts_ulong n, int may, ts_ulong *key);

ts_ulong ts_random(ts_module f, ts_ulong session, unsigned char *out, ts_ulong n);

ts_ulong ts_destroy(ts_module f, ts_ulong session, ts_ulong object);

#endif
