/*
 * src/base/sp_simd.c
 */
#include "base/sp_simd.h"

SpSimd
sp_simd_best(void)
{
#ifdef __x86_64__
	/* asks the system too, whether it saves the registers */
	if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !__builtin_cpu_supports("bmi") ||
		!__builtin_cpu_supports("bmi2") || !__builtin_cpu_supports("popcnt"))
		return SP_SIMD_PORTABLE;
	if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
		!__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl") ||
		!__builtin_cpu_supports("avx512vbmi"))
		return SP_SIMD_AVX2;
	return SP_SIMD_AVX512;
#else
	return SP_SIMD_PORTABLE;
#endif
}

const char *
sp_simd_name(SpSimd simd)
{
	static const char *const names[SP_N_SIMD] = {"portable", "avx2", "avx512"};

	return names[simd];
}
