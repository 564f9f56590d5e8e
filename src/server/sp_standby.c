/*
 * src/server/sp_standby.c
 */
#include "server/sp_compat.h"

#include "access/xlog.h"
#include "access/xlogrecovery.h"
#include "replication/walreceiver.h"
#include "storage/spin.h"
#include "utils/timestamp.h"

#include "server/sp_standby.h"

int64
sp_standby_age(void)
{
	TimestampTz known = 0;
	XLogRecPtr	end;
	TimestampTz received;

	if (!RecoveryInProgress())
		return 0;
	SpinLockAcquire(&WalRcv->mutex);
	end = WalRcv->latestWalEnd;
	received = WalRcv->lastMsgReceiptTime;
	SpinLockRelease(&WalRcv->mutex);
	if (received != 0 && end != InvalidXLogRecPtr && GetXLogReplayRecPtr(NULL) >= end)
		known = received;
	known = Max(known, GetLatestXTime());
	return known == 0 ? PG_INT64_MAX : Max(0, (GetCurrentTimestamp() - known) / 1000);
}
