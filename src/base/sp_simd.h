/*
 * src/base/sp_simd.h
 *
 * Which vector instructions the kernels may use.  A level is a value that is
 * handed down from whoever runs a model; the pure code keeps none.
 */
#ifndef SP_SIMD_H
#define SP_SIMD_H

typedef enum SpSimd
{
	SP_SIMD_PORTABLE = 0,		/* what the compiler was told to expect everywhere */
	SP_SIMD_AVX2 = 1,			/* AVX2, FMA, BMI 1 and 2, POPCNT: Haswell, Zen and later */
	SP_SIMD_AVX512 = 2			/* these and AVX-512 F, BW, DQ, VL and VBMI: Ice Lake, Zen 4 and later */
} SpSimd;

#define SP_N_SIMD 3

/* The highest level that this processor and its system have; every lower one works too. */
extern SpSimd sp_simd_best(void);

extern const char *sp_simd_name(SpSimd simd);	/* portable, avx2, avx512 */

/* For the functions of a level, whatever the rest of the build is compiled for. */
#ifdef __x86_64__
#define SP_TARGET_AVX2 __attribute__((target("avx2,fma,bmi,bmi2,popcnt")))
#define SP_TARGET_AVX512 \
	__attribute__((target("avx2,fma,bmi,bmi2,popcnt,avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi")))
#endif

#endif
