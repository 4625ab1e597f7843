// SPDX-License-Identifier: Apache-2.0

// The floor of the benchmarks: a loop in C that makes the calls of one function
// of the driver and nothing else, on one session, with the key in an object.
// cloop MODULE LABEL PIN FUNCTION N prints the nanoseconds of one turn, and
// those of processor time.

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef unsigned long word;
typedef struct { word type; void *value; word len; } attribute;
typedef struct { word mechanism; void *parameter; word len; } mechanism;
struct list { unsigned char version[2]; void *fn[68]; };

enum {
	INITIALIZE = 0, SLOTS = 4, TOKEN_INFO = 6, OPEN = 12, LOGIN = 18, CREATE = 20, ENCRYPT_INIT = 29, ENCRYPT = 30,
	DECRYPT_INIT = 33, DECRYPT = 34, SIGN_INIT = 42, SIGN = 43,
	DES3_ECB = 0x132, DES3_CBC = 0x133, AES_CMAC = 0x108A,
};

// CK_C_INITIALIZE_ARGS. A program with more than one session at a time asks for
// the module's locks (CKF_OS_LOCKING_OK), as this driver and miekg/pkcs11 do.
static struct { void *create, *destroy, *lock, *unlock; word flags; void *reserved; } lock = { .flags = 2 };

static struct list *f;
static word session;

static void must(word rv, const char *what)
{
	if (rv != 0) {
		fprintf(stderr, "cloop: %s: 0x%lx\n", what, rv);
		exit(1);
	}
}

// two is Init and operation.
static void two(int init, int op, word kind, void *iv, word key, void *in, word n, void *out)
{
	mechanism m = { kind, iv, iv ? 8 : 0 };
	word outn = n < 16 ? 16 : n;
	must(((word (*)(word, mechanism *, word))f->fn[init])(session, &m, key), "init");
	must(((word (*)(word, void *, word, void *, word *))f->fn[op])(session, in, n, out, &outn), "operation");
}

static void xor8(unsigned char *a, const unsigned char *b)
{
	for (int i = 0; i < 8; i++)
		a[i] ^= b[i];
}

static word create(word type, void *value, word n)
{
	word class = 4, key;
	unsigned char yes = 1, no = 0;
	attribute t[] = { { 0, &class, sizeof class }, { 0x100, &type, sizeof type }, { 1, &no, 1 }, { 0x104, &yes, 1 },
		{ 0x105, &yes, 1 }, { 0x108, &yes, 1 }, { 0x103, &yes, 1 }, { 0x162, &no, 1 }, { 0x11, value, n } };
	must(((word (*)(word, attribute *, word, word *))f->fn[CREATE])(session, t, sizeof t / sizeof t[0], &key), "create");
	return key;
}

static void open_token(const char *path, const char *label, char *pin)
{
	void *lib = dlopen(path, RTLD_NOW);
	word (*get)(struct list **) = lib ? (word (*)(struct list **))dlsym(lib, "C_GetFunctionList") : 0;
	word slots[64], n = 64;
	must(!get, "load");
	must(get(&f), "list");
	must(((word (*)(void *))f->fn[INITIALIZE])(&lock), "initialize");
	must(((word (*)(unsigned char, word *, word *))f->fn[SLOTS])(1, slots, &n), "slots");
	for (word i = 0; i < n; i++) {
		char info[512];
		must(((word (*)(word, void *))f->fn[TOKEN_INFO])(slots[i], info), "token");
		if (strncmp(info, label, strlen(label)) != 0 || info[strlen(label)] != ' ')
			continue;
		must(((word (*)(word, word, void *, void *, word *))f->fn[OPEN])(slots[i], 6, 0, 0, &session), "session");
		must(((word (*)(word, word, char *, word))f->fn[LOGIN])(session, 1, pin, strlen(pin)), "login");
		return;
	}
	must(1, "no such token");
}

static word des, doubled, aes;

// turn is one operation of the driver, by the calls it needs.
static void turn(const char *function)
{
	static unsigned char a[8], b[8] = { 1 }, data[256], chain[256], iv[8];
	switch (function[0]) {
	case 'b': // a block
		two(ENCRYPT_INIT, ENCRYPT, DES3_ECB, 0, des, a, 8, a);
		return;
	case 'u': // UnionPay MAC
		two(ENCRYPT_INIT, ENCRYPT, DES3_ECB, 0, des, a, 8, a);
		xor8(a, b);
		two(ENCRYPT_INIT, ENCRYPT, DES3_ECB, 0, des, a, 8, a);
		return;
	case 'p': // PIN translation, PVV
		two(DECRYPT_INIT, DECRYPT, DES3_ECB, 0, des, a, 8, a);
		two(ENCRYPT_INIT, ENCRYPT, DES3_ECB, 0, des, a, 8, a);
		return;
	case 'r': // retail MAC of 256 bytes
		two(ENCRYPT_INIT, ENCRYPT, DES3_CBC, iv, doubled, data, 248, chain);
		two(ENCRYPT_INIT, ENCRYPT, DES3_ECB, 0, des, chain, 8, a);
		return;
	default: // token of a card number
		two(SIGN_INIT, SIGN, AES_CMAC, 0, aes, data, 16, chain);
	}
}

static double now(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

// loop is the benchmark; arguments as main's.
static void *loop(void *arguments)
{
	char **argv = arguments;
	static unsigned char value[] = { 1, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF, 0xFE, 0xDC, 0xBA, 0x98, 0x76, 0x54, 0x32, 0x10 };
	static unsigned char twice[] = { 1, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF, 1, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF };
	open_token(argv[1], argv[2], argv[3]);
	des = create(0x14, value, 16);
	doubled = create(0x14, twice, 16);
	aes = create(0x1F, value, 16);
	long n = atol(argv[5]);
	for (long i = 0; i < 100; i++)
		turn(argv[4]);
	double wall = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);
	for (long i = 0; i < n; i++)
		turn(argv[4]);
	printf("%.1f %.1f\n", (now(CLOCK_MONOTONIC) - wall) / (double)n, (now(CLOCK_PROCESS_CPUTIME_ID) - cpu) / (double)n);
	return 0;
}

// The loop is on a thread, as calls of a server are: malloc takes no locks in a
// process of one thread, and its first thread's memory is cheaper.
int main(int argc, char **argv)
{
	pthread_t thread;
	must(argc != 6, "arguments");
	must((word)pthread_create(&thread, 0, loop, argv), "thread");
	must((word)pthread_join(thread, 0), "join");
	return 0;
}
