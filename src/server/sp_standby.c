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
	static TimestampTz known = 0;	/* what was known once stays true when the connection is lost */
	XLogRecPtr	end;
	TimestampTz sent;
	TimestampTz received;

	if (!RecoveryInProgress())
		return 0;
	SpinLockAcquire(&WalRcv->mutex);
	end = WalRcv->latestWalEnd;
	sent = WalRcv->lastMsgSendTime;
	received = WalRcv->lastMsgReceiptTime;
	SpinLockRelease(&WalRcv->mutex);
	/* a receiver that starts, also one that then finds no primary, sets both to the same moment */
	if (received != sent && end != InvalidXLogRecPtr && GetXLogReplayRecPtr(NULL) >= end)
		known = Max(known, received);
	known = Max(known, GetLatestXTime());
	return known == 0 ? PG_INT64_MAX : Max(0, (GetCurrentTimestamp() - known) / 1000);
}

bool
sp_standby_is_connected(void)
{
	bool		is_connected;

	SpinLockAcquire(&WalRcv->mutex);
	/* what the server shows of a connection is there once it is made */
	is_connected = WalRcv->ready_to_display && WalRcv->walRcvState == WALRCV_STREAMING;
	SpinLockRelease(&WalRcv->mutex);
	return is_connected;
}
