/*
 * src/ops/sp_backup_file.c
 *
 * Files of sets: written once, hashed as they are written, and read back.
 */
#include "server/sp_compat.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/memutils.h"

#include "ops/sp_backup.h"
#include "server/sp_guc.h"

#define BUFFER_SIZE (256 * 1024)
#define BACKUP_FILTER "smartpouch.backup_filter"
#define RESTORE_FILTER "smartpouch.restore_filter"

struct SpFileWriter
{
	MemoryContext mcx;
	MemoryContextCallback callback;
	int			folder_fd;		/* the folder outlives the file */
	int			fd;				/* -1: closed */
	bool		finished;
	char	   *path;			/* for messages */
	char		name[SP_BACKUP_NAME_SIZE];
	SpChild    *filter;			/* or NULL */
	SpSha256   *plain;
	SpSha256   *stored;
	int64		plain_bytes;
	int64		stored_bytes;
};

void
sp_backup_filter_id(char id[SP_FILTER_ID_SIZE])
{
	uint8		hash[SP_SHA256_SIZE];

	id[0] = '\0';
	if (*sp_backup_filter == '\0')
		return;
	sp_sha256(sp_backup_filter, strlen(sp_backup_filter), hash);
	snprintf(id, SP_FILTER_ID_SIZE, "f%.16s", sp_hash_hex(hash));
}

/* ---- writing ---- */

static void
release_writer(void *arg)
{
	SpFileWriter *writer = arg;

	if (writer->fd < 0)
		return;
	(void) close(writer->fd);
	writer->fd = -1;
	ReleaseExternalFD();
	if (!writer->finished)
		(void) unlinkat(writer->folder_fd, writer->name, 0);
}

static SpChild *
start_filter(const char *setting, const char *command)
{
	char	  **argv = sp_backup_command(command);

	return argv == NULL ? NULL : sp_child_start(setting, argv, sp_backup_environment());
}

/* No more for it; take what it still prints. A filter must have read everything. */
static void
end_filter(SpChild *filter, const char *setting, SpChildTake take, void *arg)
{
	bool		took_all;

	sp_child_drain(filter, take, arg);
	took_all = sp_child_took_all(filter);
	sp_child_finish(filter);
	if (!took_all)
		ereport(ERROR,
				(errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
				 errmsg("%s ended before it had read everything", setting)));
}

SpFileWriter *
sp_file_create(const SpFolder *folder, const char *name, bool filtered)
{
	MemoryContext mcx = AllocSetContextCreate(CurrentMemoryContext, "smartpouch backup file", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(mcx);
	SpFileWriter *writer = palloc0(sizeof(SpFileWriter));

	writer->mcx = mcx;
	writer->folder_fd = folder->fd;
	writer->path = psprintf("%s/%s", folder->path, name);
	strlcpy(writer->name, name, sizeof(writer->name));
	writer->fd = openat(folder->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR);
	if (writer->fd < 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not create file \"%s\": %m", writer->path)));
	ReserveExternalFD();
	writer->callback.func = release_writer;
	writer->callback.arg = writer;
	MemoryContextRegisterResetCallback(mcx, &writer->callback);
	if (filtered)
		writer->filter = start_filter(BACKUP_FILTER, sp_backup_filter);
	writer->plain = sp_sha256_begin();
	writer->stored = sp_sha256_begin();
	MemoryContextSwitchTo(old);
	return writer;
}

static void
store(void *arg, const char *bytes, Size size)
{
	SpFileWriter *writer = arg;

	sp_sha256_add(writer->stored, bytes, size);
	writer->stored_bytes += (int64) size;
	while (size > 0)
	{
		ssize_t		done = write(writer->fd, bytes, size);

		if (done < 0 && errno == EINTR)
			continue;
		/* as the server does: a short write without a reason is a full disk */
		if (done == 0)
			errno = ENOSPC;
		if (done <= 0)
			ereport(ERROR,
					(errcode_for_file_access(),
					 errmsg("could not write file \"%s\": %m", writer->path)));
		bytes += done;
		size -= (Size) done;
	}
}

void
sp_file_append(SpFileWriter *writer, const char *bytes, Size size)
{
	sp_sha256_add(writer->plain, bytes, size);
	writer->plain_bytes += (int64) size;
	if (writer->filter != NULL)
		sp_child_write(writer->filter, bytes, size, store, writer);
	else
		store(writer, bytes, size);
	sp_progress_add((int64) size);
}

void
sp_file_finish(SpFileWriter *writer, SpBackupFile *file)
{
	if (writer->filter != NULL)
		end_filter(writer->filter, BACKUP_FILTER, store, writer);
	if (pg_fsync(writer->fd) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not fsync file \"%s\": %m", writer->path)));
	memset(file, 0, sizeof(*file));
	strlcpy(file->name, writer->name, sizeof(file->name));
	file->plain_bytes = writer->plain_bytes;
	file->stored_bytes = writer->stored_bytes;
	sp_sha256_end(writer->plain, file->plain_sha256);
	sp_sha256_end(writer->stored, file->stored_sha256);
	writer->finished = true;
	MemoryContextDelete(writer->mcx);
}

/* ---- reading ---- */

typedef struct Reader
{
	MemoryContextCallback callback;
	int			fd;
} Reader;

static void
release_reader(void *arg)
{
	Reader	   *reader = arg;

	(void) close(reader->fd);
	ReleaseExternalFD();
}

/* A regular file with one name: a hard link could be somebody else's. -1: none. */
static int
open_regular(const SpFolder *folder, const char *name)
{
	struct stat facts;
	int			fd = openat(folder->fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

	if (fd >= 0 && fstat(fd, &facts) == 0 && S_ISREG(facts.st_mode) && facts.st_nlink == 1)
		return fd;
	if (fd >= 0)
		(void) close(fd);
	return -1;
}

int64
sp_file_size(const SpFolder *folder, const char *name)
{
	struct stat facts;
	int			fd = open_regular(folder, name);
	int64		size = -1;

	if (fd < 0)
		return -1;
	if (fstat(fd, &facts) == 0)
		size = (int64) facts.st_size;
	(void) close(fd);
	return size;
}

static void
read_all(Reader *reader, const SpFolder *folder, const char *name, SpFileTake take, void *arg, SpBackupFile *file)
{
	SpSha256   *hash = sp_sha256_begin();
	char	   *buffer = palloc(BUFFER_SIZE);
	ssize_t		got;

#ifdef POSIX_FADV_DONTNEED
	/* what is dirty was written back by fsync, so that this asks the disk */
	(void) posix_fadvise(reader->fd, 0, 0, POSIX_FADV_DONTNEED);
#endif
	while ((got = read(reader->fd, buffer, BUFFER_SIZE)) != 0)
	{
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			ereport(ERROR,
					(errcode_for_file_access(),
					 errmsg("could not read file \"%s/%s\": %m", folder->path, name)));
		sp_sha256_add(hash, buffer, (Size) got);
		file->stored_bytes += got;
		if (take != NULL)
			take(arg, buffer, (Size) got);
	}
	sp_sha256_end(hash, file->stored_sha256);
}

bool
sp_file_read(const SpFolder *folder, const char *name, SpFileTake take, void *arg, SpBackupFile *file)
{
	int			fd = open_regular(folder, name);
	MemoryContext mcx;
	MemoryContext old;
	Reader	   *reader;

	memset(file, 0, sizeof(*file));
	strlcpy(file->name, name, sizeof(file->name));
	if (fd < 0)
		return false;
	ReserveExternalFD();
	mcx = AllocSetContextCreate(CurrentMemoryContext, "smartpouch backup file", ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(mcx);
	reader = palloc(sizeof(Reader));
	reader->fd = fd;
	reader->callback.func = release_reader;
	reader->callback.arg = reader;
	MemoryContextRegisterResetCallback(mcx, &reader->callback);
	read_all(reader, folder, name, take, arg, file);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(mcx);
	return true;
}

typedef struct Unfilter
{
	SpChild    *filter;			/* NULL: none */
	SpSha256   *plain;
	int64		plain_bytes;
	SpFileTake	take;
	void	   *arg;
} Unfilter;

static void
take_plain(void *arg, const char *bytes, Size size)
{
	Unfilter   *unfilter = arg;

	sp_sha256_add(unfilter->plain, bytes, size);
	unfilter->plain_bytes += (int64) size;
	if (unfilter->take != NULL)
		unfilter->take(unfilter->arg, bytes, size);
}

static void
take_stored(void *arg, const char *bytes, Size size)
{
	Unfilter   *unfilter = arg;

	if (unfilter->filter != NULL)
		sp_child_write(unfilter->filter, bytes, size, take_plain, unfilter);
	else
		take_plain(unfilter, bytes, size);
}

bool
sp_file_read_plain(const SpFolder *folder, const char *name, bool filtered, SpFileTake take, void *arg,
				   SpBackupFile *file)
{
	Unfilter	unfilter = {NULL, NULL, 0, take, arg};

	if (filtered)
	{
		unfilter.filter = start_filter(RESTORE_FILTER, sp_restore_filter);
		if (unfilter.filter == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("\"%s\" went through smartpouch.backup_filter, and there is no smartpouch.restore_filter", name),
					 errhint("Set it to the command that undoes the other.")));
	}
	unfilter.plain = sp_sha256_begin();
	if (!sp_file_read(folder, name, take_stored, &unfilter, file))
		return false;
	if (unfilter.filter != NULL)
		end_filter(unfilter.filter, RESTORE_FILTER, take_plain, &unfilter);
	file->plain_bytes = unfilter.plain_bytes;
	sp_sha256_end(unfilter.plain, file->plain_sha256);
	return true;
}
