/*
 * src/kernel/sp_kernel_recurrent.c
 *
 * LSTM, GRU and plain recurrent layers over the sequence that a row holds
 * (LSTM, GRU and RNN of onnx docs/Operators.md, with their default functions).
 */
#include "kernel/sp_kernel_general.h"

#define NUMBER float
#define NAME(name) name##_float
#define CALL(name) name##f
#include "kernel/sp_kernel_sequence.h"
#undef NUMBER
#undef NAME
#undef CALL

#define NUMBER double
#define NAME(name) name##_double
#define CALL(name) name
#include "kernel/sp_kernel_sequence.h"

void
sp_row_recurrent(const SpRow *row)
{
	if (row->type == SP_TYPE_F32)
		recurrent_float(row);
	else
		recurrent_double(row);
}
