/*
 * src/kernel/sp_kernel_window.c
 *
 * Steps over the window that a row holds: convolutions (Conv of onnx
 * docs/Operators.md) and recurrent layers (LSTM, GRU and RNN).
 */
#include "kernel/sp_kernel_general.h"

#define TEMPLATE "kernel/sp_kernel_panels.h"
#include "kernel/sp_kernel_typed.h"

#define TEMPLATE "kernel/sp_kernel_sequence.h"
#include "kernel/sp_kernel_typed.h"

bool
sp_row_conv(const SpRow *row)
{
	return SP_TYPED(conv, row);
}

bool
sp_row_recurrent(const SpRow *row)
{
	return SP_TYPED(recurrent, row);
}

uint64_t
sp_recurrent_scratch(const SpPackedGeneral *general)
{
	return (7 + 4 * SP_POSITIONS) * sp_panel_rows(general->dims[2]) * sizeof(double);
}
