// SPDX-License-Identifier: Apache-2.0

// What a module copied or ciphered last stays in the vector registers after it
// returned. When Go interrupts the thread there (it preempts by signal), the
// kernel or the Go runtime saves them to memory that nobody wipes. So they are
// overwritten before a call goes back to Go.

#ifndef TAPSWITCH_FORGET_H
#define TAPSWITCH_FORGET_H

#if defined(__x86_64__)
#define TS_XMM "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", \
	"xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"

// The library's copies use the upper sixteen registers where there are any.
__attribute__((target("avx512f"))) static void ts_forget_upper(void)
{
	__asm__ volatile(
		"vpxord %%zmm16,%%zmm16,%%zmm16\n\tvpxord %%zmm17,%%zmm17,%%zmm17\n\tvpxord %%zmm18,%%zmm18,%%zmm18\n\t"
		"vpxord %%zmm19,%%zmm19,%%zmm19\n\tvpxord %%zmm20,%%zmm20,%%zmm20\n\tvpxord %%zmm21,%%zmm21,%%zmm21\n\t"
		"vpxord %%zmm22,%%zmm22,%%zmm22\n\tvpxord %%zmm23,%%zmm23,%%zmm23\n\tvpxord %%zmm24,%%zmm24,%%zmm24\n\t"
		"vpxord %%zmm25,%%zmm25,%%zmm25\n\tvpxord %%zmm26,%%zmm26,%%zmm26\n\tvpxord %%zmm27,%%zmm27,%%zmm27\n\t"
		"vpxord %%zmm28,%%zmm28,%%zmm28\n\tvpxord %%zmm29,%%zmm29,%%zmm29\n\tvpxord %%zmm30,%%zmm30,%%zmm30\n\t"
		"vpxord %%zmm31,%%zmm31,%%zmm31"
		::: "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25",
		"xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31");
}

static void ts_forget(void)
{
	if (__builtin_cpu_supports("avx"))
		__asm__ volatile("vzeroall" ::: TS_XMM);
	else
		__asm__ volatile(
			"pxor %%xmm0,%%xmm0\n\tpxor %%xmm1,%%xmm1\n\tpxor %%xmm2,%%xmm2\n\tpxor %%xmm3,%%xmm3\n\t"
			"pxor %%xmm4,%%xmm4\n\tpxor %%xmm5,%%xmm5\n\tpxor %%xmm6,%%xmm6\n\tpxor %%xmm7,%%xmm7\n\t"
			"pxor %%xmm8,%%xmm8\n\tpxor %%xmm9,%%xmm9\n\tpxor %%xmm10,%%xmm10\n\tpxor %%xmm11,%%xmm11\n\t"
			"pxor %%xmm12,%%xmm12\n\tpxor %%xmm13,%%xmm13\n\tpxor %%xmm14,%%xmm14\n\tpxor %%xmm15,%%xmm15"
			::: TS_XMM);
	if (__builtin_cpu_supports("avx512f"))
		ts_forget_upper();
}
#elif defined(__aarch64__)
// v8 to v15 belong to the caller: a callee gives back what was in them.
static void ts_forget(void)
{
	__asm__ volatile(
		"movi v0.2d,#0\n\tmovi v1.2d,#0\n\tmovi v2.2d,#0\n\tmovi v3.2d,#0\n\tmovi v4.2d,#0\n\tmovi v5.2d,#0\n\t"
		"movi v6.2d,#0\n\tmovi v7.2d,#0\n\tmovi v16.2d,#0\n\tmovi v17.2d,#0\n\tmovi v18.2d,#0\n\tmovi v19.2d,#0\n\t"
		"movi v20.2d,#0\n\tmovi v21.2d,#0\n\tmovi v22.2d,#0\n\tmovi v23.2d,#0\n\tmovi v24.2d,#0\n\tmovi v25.2d,#0\n\t"
		"movi v26.2d,#0\n\tmovi v27.2d,#0\n\tmovi v28.2d,#0\n\tmovi v29.2d,#0\n\tmovi v30.2d,#0\n\tmovi v31.2d,#0"
		::: "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23",
		"v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31");
}
#else
#error "hsm/pkcs11 overwrites vector registers by name: add those of this processor to forget.h"
#endif

#endif
