// SPDX-License-Identifier: Apache-2.0

// A PKCS#11 v2.40 module that forwards every call to another one and, as told
// by a control file, delays calls, lets them fail or hang, spoils results, loses
// sessions or the token; it counts all it sees. For tests. ../README.md has the
// words of the control file and the layout of the counters.
//
// Every parameter of PKCS#11 is a machine word or a pointer, and is passed on as
// a word: right for 64-bit POSIX systems.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

typedef unsigned long word;

// FUNCTIONS is CK_FUNCTION_LIST in its order: name and number of parameters.
#define FUNCTIONS(F) \
	F(C_Initialize, 1) F(C_Finalize, 1) F(C_GetInfo, 1) F(C_GetFunctionList, 1) F(C_GetSlotList, 3) \
	F(C_GetSlotInfo, 2) F(C_GetTokenInfo, 2) F(C_GetMechanismList, 3) F(C_GetMechanismInfo, 3) F(C_InitToken, 4) \
	F(C_InitPIN, 3) F(C_SetPIN, 5) F(C_OpenSession, 5) F(C_CloseSession, 1) F(C_CloseAllSessions, 1) \
	F(C_GetSessionInfo, 2) F(C_GetOperationState, 3) F(C_SetOperationState, 5) F(C_Login, 4) F(C_Logout, 1) \
	F(C_CreateObject, 4) F(C_CopyObject, 5) F(C_DestroyObject, 2) F(C_GetObjectSize, 3) F(C_GetAttributeValue, 4) \
	F(C_SetAttributeValue, 4) F(C_FindObjectsInit, 3) F(C_FindObjects, 4) F(C_FindObjectsFinal, 1) F(C_EncryptInit, 3) \
	F(C_Encrypt, 5) F(C_EncryptUpdate, 5) F(C_EncryptFinal, 3) F(C_DecryptInit, 3) F(C_Decrypt, 5) \
	F(C_DecryptUpdate, 5) F(C_DecryptFinal, 3) F(C_DigestInit, 2) F(C_Digest, 5) F(C_DigestUpdate, 3) \
	F(C_DigestKey, 2) F(C_DigestFinal, 3) F(C_SignInit, 3) F(C_Sign, 5) F(C_SignUpdate, 3) \
	F(C_SignFinal, 3) F(C_SignRecoverInit, 3) F(C_SignRecover, 5) F(C_VerifyInit, 3) F(C_Verify, 5) \
	F(C_VerifyUpdate, 3) F(C_VerifyFinal, 3) F(C_VerifyRecoverInit, 3) F(C_VerifyRecover, 5) F(C_DigestEncryptUpdate, 5) \
	F(C_DecryptDigestUpdate, 5) F(C_SignEncryptUpdate, 5) F(C_DecryptVerifyUpdate, 5) F(C_GenerateKey, 5) F(C_GenerateKeyPair, 8) \
	F(C_WrapKey, 6) F(C_UnwrapKey, 8) F(C_DeriveKey, 6) F(C_SeedRandom, 3) F(C_GenerateRandom, 3) \
	F(C_GetFunctionStatus, 1) F(C_CancelFunction, 1) F(C_WaitForSlotEvent, 3)

#define NUMBER(name, n) N_##name,
#define NAME(name, n) #name,
#define ARITY(name, n) n,
enum { FUNCTIONS(NUMBER) FUNCTION_COUNT, ANY = FUNCTION_COUNT };
static const char *const names[] = { FUNCTIONS(NAME) "*" };
static const int arity[] = { FUNCTIONS(ARITY) };

enum {
	CKR_OK = 0, CKR_GENERAL_ERROR = 0x5, CKR_DEVICE_REMOVED = 0x32, CKR_TOKEN_NOT_PRESENT = 0xE0,
};

struct list { unsigned char version[2]; void *fn[FUNCTION_COUNT]; };
static struct list *real;
word C_GetFunctionList(struct list **out);

// counters are shared with whoever maps or reads the file.
struct counters {
	atomic_ulong calls[FUNCTION_COUNT]; // since the file was made
	atomic_ulong inside;                // calls under way
	atomic_ulong made, gone;            // session and token objects
	atomic_ulong opened, closed;        // sessions
	atomic_ulong read;                  // times the control file was read
	atomic_ulong struck;                // calls that failed or were spoilt by a rule
};
static struct counters ours, *counters = &ours;

// rule is one line of the control file: a verb, the function it is for (ANY for
// all), which call of it since the file was read (0: each), and a value.
enum verb { LATENCY, FAIL, HANG, SPOIL };
static const char *const verbs[] = { "latency", "fail", "hang", "spoil" };
struct rule { enum verb verb; int fn; unsigned long nth, value; };
enum { MAX_RULES = 64, LOSE = 1, LOGOUT = 2 };

static struct {
	pthread_mutex_t mu;
	struct stat seen; // of the file as it was read last
	struct rule rules[MAX_RULES];
	int count, vanished;
	unsigned long since[FUNCTION_COUNT + 1]; // calls since the file was read
} control = { .mu = PTHREAD_MUTEX_INITIALIZER };

// forwarding is held for reading by calls in the real module, for writing while
// its sessions are taken away: modules do not expect that under a running call.
static pthread_rwlock_t forwarding = PTHREAD_RWLOCK_INITIALIZER;
static atomic_ulong a_session; // opened last

// setting is a path from the environment, or the one that is built in: two
// copies in one process have the environment in common.
static const char *setting(const char *name)
{
#ifdef BUILT_IN
	static const char *const built_in[][2] = { BUILT_IN };
	for (unsigned i = 0; i < sizeof built_in / sizeof built_in[0]; i++)
		if (strcmp(name, built_in[i][0]) == 0)
			return built_in[i][1];
#endif
	return getenv(name);
}

static void nap(unsigned long us)
{
	static _Thread_local int exact;
	if (!exact)
		exact = prctl(PR_SET_TIMERSLACK, 1UL) == 0; // else 50 µs are added to each nap
	struct timespec t = { (time_t)(us / 1000000), (long)(us % 1000000) * 1000 };
	while (nanosleep(&t, &t) != 0)
		;
}

// forward makes the call in the real module.
static word forward(int fn, const word *v)
{
	void *f = real->fn[fn];
	switch (arity[fn]) {
	case 1: return ((word (*)(word))f)(v[0]);
	case 2: return ((word (*)(word, word))f)(v[0], v[1]);
	case 3: return ((word (*)(word, word, word))f)(v[0], v[1], v[2]);
	case 4: return ((word (*)(word, word, word, word))f)(v[0], v[1], v[2], v[3]);
	case 5: return ((word (*)(word, word, word, word, word))f)(v[0], v[1], v[2], v[3], v[4]);
	case 6: return ((word (*)(word, word, word, word, word, word))f)(v[0], v[1], v[2], v[3], v[4], v[5]);
	}
	return ((word (*)(word, word, word, word, word, word, word, word))f)(v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7]);
}

static void all_gone(void)
{
	counters->closed = counters->opened;
	counters->gone = counters->made;
}

// lose closes all sessions of the real module behind the caller's back.
static void lose(void)
{
	word slots[64], n = 64;
	pthread_rwlock_wrlock(&forwarding);
	if (forward(N_C_GetSlotList, (word[]){ 1, (word)slots, (word)&n }) == CKR_OK)
		for (word i = 0; i < n; i++)
			forward(N_C_CloseAllSessions, (word[]){ slots[i] });
	all_gone();
	pthread_rwlock_unlock(&forwarding);
}

static void log_out(void)
{
	pthread_rwlock_wrlock(&forwarding);
	forward(N_C_Logout, (word[]){ a_session });
	pthread_rwlock_unlock(&forwarding);
}

// read_line takes in one line; a line that is not understood ends the process,
// since a test that believes in a fault that never comes proves nothing.
static void read_line(const char *line, int *events)
{
	char verb[16], fn[40], value[40] = "0";
	struct rule r = { 0 };
	if (sscanf(line, " %15s", verb) != 1 || verb[0] == '#')
		return;
	if (strcmp(verb, "vanish") == 0) {
		control.vanished = 1;
		return;
	}
	if (strcmp(verb, "lose") == 0 || strcmp(verb, "logout") == 0) {
		*events |= strcmp(verb, "lose") == 0 ? LOSE : LOGOUT;
		return;
	}
	for (; r.verb <= SPOIL && strcmp(verb, verbs[r.verb]) != 0; r.verb++)
		;
	int got = sscanf(line, " %*s %39s %lu %39s", fn, &r.nth, value);
	for (; r.fn <= ANY && strcmp(fn, names[r.fn]) != 0; r.fn++)
		;
	r.value = strtoul(value, 0, 0);
	if (got < 2 || r.verb > SPOIL || r.fn > ANY || control.count == MAX_RULES) {
		fprintf(stderr, "p11chaos: this line of the control file is not understood: %s\n", line);
		abort();
	}
	control.rules[control.count++] = r;
}

// refresh reads the control file if it is another than last time.
static void refresh(void)
{
	struct stat now;
	const char *path = setting("TAPSWITCH_P11CHAOS_CONTROL");
	if (!path || stat(path, &now) != 0)
		memset(&now, 0, sizeof now); // no file: no rules
	if (now.st_ino == control.seen.st_ino && now.st_size == control.seen.st_size &&
	    now.st_mtim.tv_sec == control.seen.st_mtim.tv_sec && now.st_mtim.tv_nsec == control.seen.st_mtim.tv_nsec)
		return;
	int was = control.vanished, events = 0;
	char line[256];
	control.seen = now;
	control.count = control.vanished = 0;
	memset(control.since, 0, sizeof control.since);
	FILE *f = now.st_ino ? fopen(path, "re") : 0;
	while (f && fgets(line, sizeof line, f))
		read_line(line, &events);
	if (f)
		fclose(f);
	counters->read++;
	if ((events & LOSE) || (control.vanished && !was))
		lose();
	if (events & LOGOUT)
		log_out();
}

// verdict is what the rules say about one call.
struct verdict { unsigned long latency, hang, read; word code; int hangs, spoils, vanished; };

static struct verdict judge(int fn)
{
	struct verdict v = { 0 };
	pthread_mutex_lock(&control.mu);
	refresh();
	control.since[fn]++;
	control.since[ANY]++;
	for (int i = 0; i < control.count; i++) {
		const struct rule *r = &control.rules[i];
		if ((r->fn != fn && r->fn != ANY) || (r->nth != 0 && r->nth != control.since[r->fn]))
			continue;
		switch (r->verb) {
		case LATENCY: v.latency += r->value; break;
		case FAIL: v.code = r->value; break;
		case HANG: v.hangs = 1; v.hang = r->value; break;
		case SPOIL: v.spoils = 1; break;
		}
	}
	v.vanished = control.vanished;
	v.read = counters->read;
	pthread_mutex_unlock(&control.mu);
	return v;
}

// hang waits for the time told, 0 for ever, and no longer than until the
// control file changes.
static void hang(const struct verdict *v)
{
	for (unsigned long ms = 0; v->hang == 0 || ms < v->hang; ms++) {
		nap(1000);
		pthread_mutex_lock(&control.mu);
		refresh();
		int told = counters->read != v->read;
		pthread_mutex_unlock(&control.mu);
		if (told)
			return;
	}
}

// absent is what a module says whose token is gone.
static word absent(int fn, const word *v)
{
	switch (fn) {
	case N_C_Initialize: case N_C_Finalize: case N_C_GetInfo: case N_C_GetSlotInfo:
		return forward(fn, v);
	case N_C_GetSlotList:
		if (!(unsigned char)v[0])
			return forward(fn, v);
		*(word *)v[2] = 0;
		return CKR_OK;
	case N_C_GetTokenInfo: case N_C_GetMechanismList: case N_C_GetMechanismInfo: case N_C_InitToken: case N_C_OpenSession:
		return CKR_TOKEN_NOT_PRESENT;
	}
	return CKR_DEVICE_REMOVED;
}

// account follows sessions and objects after a call that went well.
static void account(int fn, const word *v)
{
	switch (fn) {
	case N_C_OpenSession: counters->opened++; a_session = *(word *)v[4]; break;
	case N_C_CloseSession: counters->closed++; break;
	case N_C_Finalize: case N_C_CloseAllSessions: all_gone(); break;
	case N_C_GenerateKeyPair: counters->made += 2; break;
	case N_C_CreateObject: case N_C_CopyObject: case N_C_GenerateKey: case N_C_UnwrapKey: case N_C_DeriveKey:
		counters->made++;
		break;
	case N_C_DestroyObject: counters->gone++; break;
	}
}

// spoil changes one bit of a result.
static void spoil(int fn, const word *v)
{
	if ((fn == N_C_Encrypt || fn == N_C_Decrypt || fn == N_C_Sign) && v[3] && *(word *)v[4] > 0) {
		*(unsigned char *)v[3] ^= 1;
		counters->struck++;
	}
}

// call is one call of any function.
static word call(int fn, const word *v)
{
	if (fn == N_C_GetFunctionList)
		return C_GetFunctionList((struct list **)v[0]);
	counters->calls[fn]++;
	counters->inside++;
	struct verdict said = judge(fn);
	if (said.latency)
		nap(said.latency);
	if (said.hangs)
		hang(&said);
	word rv = said.code;
	if (rv != CKR_OK) {
		counters->struck++;
	} else {
		pthread_rwlock_rdlock(&forwarding);
		rv = said.vanished ? absent(fn, v) : forward(fn, v);
		if (rv == CKR_OK)
			account(fn, v);
		pthread_rwlock_unlock(&forwarding);
		if (rv == CKR_OK && said.spoils)
			spoil(fn, v);
	}
	counters->inside--;
	return rv;
}

// One function of ours for each of theirs.
#define P1 word a
#define P2 P1, word b
#define P3 P2, word c
#define P4 P3, word d
#define P5 P4, word e
#define P6 P5, word f
#define P8 P6, word g, word h
#define V1 a
#define V2 V1, b
#define V3 V2, c
#define V4 V3, d
#define V5 V4, e
#define V6 V5, f
#define V8 V6, g, h
#define OURS(name, n) static word our_##name(P##n) { return call(N_##name, (word[]){ V##n }); }
#define ENTRY(name, n) (void *)our_##name,
FUNCTIONS(OURS)
static struct list list = { { 2, 40 }, { FUNCTIONS(ENTRY) } };

static pthread_once_t once = PTHREAD_ONCE_INIT;

// load opens the real module and the file of the counters.
static void load(void)
{
	const char *path = setting("TAPSWITCH_P11CHAOS_MODULE");
	const char *shared = setting("TAPSWITCH_P11CHAOS_COUNTERS");
	void *lib = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : 0;
	word (*get)(struct list **) = lib ? (word (*)(struct list **))dlsym(lib, "C_GetFunctionList") : 0;
	if (!get || get(&real) != CKR_OK) {
		fprintf(stderr, "p11chaos: TAPSWITCH_P11CHAOS_MODULE names no PKCS#11 module: %s\n", path ? path : "(not set)");
		real = 0;
		return;
	}
	int fd = shared ? open(shared, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
	if (fd < 0)
		return; // nobody reads them
	void *map = ftruncate(fd, sizeof ours) == 0 ? mmap(0, sizeof ours, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
	close(fd);
	if (map != MAP_FAILED)
		counters = map;
}

word C_GetFunctionList(struct list **out)
{
	pthread_once(&once, load);
	*out = &list;
	return real ? CKR_OK : CKR_GENERAL_ERROR;
}
