/*
 * src/ops/sp_backup_folder.c
 */
#include "server/sp_compat.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "miscadmin.h"
#include "pgtime.h"
#include "storage/fd.h"
#include "utils/memutils.h"

#include "ops/sp_backup.h"
#include "server/sp_guc.h"

#define OPEN_FOLDER (O_RDONLY | O_DIRECTORY | O_CLOEXEC)
#define RANDOM_LETTERS 6
#define TIME_LETTERS 16			/* 20261123T050500Z */

/* ---- one folder ---- */

static void
release(void *arg)
{
	SpFolder   *folder = arg;

	if (folder->fd < 0)
		return;
	(void) close(folder->fd);
	folder->fd = -1;
	ReleaseExternalFD();
}

static SpFolder *
own(int fd, char *path)
{
	MemoryContext mcx = AllocSetContextCreate(CurrentMemoryContext, "smartpouch folder", ALLOCSET_SMALL_SIZES);
	SpFolder   *folder = MemoryContextAllocZero(mcx, sizeof(SpFolder));

	folder->mcx = mcx;
	folder->fd = fd;
	folder->path = MemoryContextStrdup(mcx, path);
	folder->callback.func = release;
	folder->callback.arg = folder;
	ReserveExternalFD();
	MemoryContextRegisterResetCallback(mcx, &folder->callback);
	return folder;
}

void
sp_folder_close(SpFolder *folder)
{
	MemoryContextDelete(folder->mcx);
}

static void SP_NORETURN
refuse_directory(const char *why)
{
	ereport(ERROR,
			(errcode(ERRCODE_CONFIG_FILE_ERROR),
			 errmsg("smartpouch.backup_directory names a folder that cannot be used: %s", why),
			 errdetail("Folder \"%s\".", sp_backup_directory),
			 errhint("Make a folder outside the data directory that belongs to the server's user, with mode 0700.")));
}

static bool
lies_in(const char *outer, const char *inner)
{
	char	   *real_outer = realpath(outer, NULL);
	char	   *real_inner = realpath(inner, NULL);
	bool		lies = real_outer != NULL && real_inner != NULL && path_is_prefix_of_path(real_outer, real_inner);

	free(real_outer);
	free(real_inner);
	return lies;
}

static void
check_directory(int fd)
{
	struct stat facts;

	if (fstat(fd, &facts) != 0)
		refuse_directory(psprintf("it cannot be examined: %m"));
	if (facts.st_uid != geteuid())
		refuse_directory("it belongs to another user");
	if ((facts.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		refuse_directory("group or others may write to it");
	if (lies_in(DataDir, sp_backup_directory))
		refuse_directory("it lies in the data directory");
}

SpFolder *
sp_backup_folder(void)
{
	int			fd;

	if (*sp_backup_directory == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("there is no folder for backups"),
				 errhint("Set smartpouch.backup_directory in the server's configuration.")));
	fd = open(sp_backup_directory, OPEN_FOLDER);
	if (fd < 0)
		refuse_directory(psprintf("it cannot be opened: %m"));
	PG_TRY();
	{
		check_directory(fd);
	}
	PG_CATCH();
	{
		(void) close(fd);
		PG_RE_THROW();
	}
	PG_END_TRY();
	return own(fd, sp_backup_directory);
}

bool
sp_folder_lock(const SpFolder *folder)
{
	/* file systems that know no locks cannot be shared safely, and need not be */
	return flock(folder->fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
}

SpFolder *
sp_folder_open(const SpFolder *parent, const char *name, bool missing_ok)
{
	char	   *path = psprintf("%s/%s", parent->path, name);
	int			fd = openat(parent->fd, name, OPEN_FOLDER | O_NOFOLLOW);

	if (fd < 0 && errno == ENOENT && missing_ok)
		return NULL;
	if (fd < 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not open folder \"%s\": %m", path)));
	return own(fd, path);
}

SpFolder *
sp_set_open(const SpFolder *parent, const char *label, char **why)
{
	int			fd = openat(parent->fd, label, OPEN_FOLDER | O_NOFOLLOW);

	if (fd < 0)
	{
		*why = psprintf("its folder cannot be opened: %m");
		return NULL;
	}
	return own(fd, psprintf("%s/%s", parent->path, label));
}

void
sp_folder_make(const SpFolder *parent, const char *name, bool exists_ok)
{
	if (mkdirat(parent->fd, name, S_IRWXU) == 0)
		sp_folder_sync(parent);
	else if (errno != EEXIST || !exists_ok)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not make folder \"%s/%s\": %m", parent->path, name)));
}

void
sp_folder_sync(const SpFolder *folder)
{
	if (pg_fsync(folder->fd) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not fsync folder \"%s\": %m", folder->path)));
}

void
sp_folder_rename(const SpFolder *folder, const char *old, const char *new)
{
	if (renameat(folder->fd, old, folder->fd, new) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not rename \"%s/%s\" to \"%s\": %m", folder->path, old, new)));
	sp_folder_sync(folder);
}

bool
sp_folder_has(const SpFolder *folder, const char *name)
{
	struct stat facts;

	return fstatat(folder->fd, name, &facts, AT_SYMLINK_NOFOLLOW) == 0;
}

/* A second descriptor: fdopendir takes the one it is given. */
static DIR *
open_list(int fd)
{
	int			copy = openat(fd, ".", OPEN_FOLDER);
	DIR		   *list = copy < 0 ? NULL : fdopendir(copy);

	if (list == NULL && copy >= 0)
		(void) close(copy);
	return list;
}

static bool
is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

List *
sp_folder_names(const SpFolder *folder)
{
	DIR		   *list = open_list(folder->fd);
	List	   *names = NIL;
	struct dirent *entry;

	if (list == NULL)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read folder \"%s\": %m", folder->path)));
	PG_TRY();
	{
		while ((entry = readdir(list)) != NULL)
			if (!is_dots(entry->d_name))
				names = lappend(names, pstrdup(entry->d_name));
	}
	PG_FINALLY();
	{
		(void) closedir(list);
	}
	PG_END_TRY();
	return names;
}

/* Sets are one level deep: what is deeper was not made by us and stays. */
bool
sp_folder_remove(int parent_fd, const char *name)
{
	struct dirent *entry;
	DIR		   *list;
	int			fd;

	if (unlinkat(parent_fd, name, 0) == 0 || errno == ENOENT)
		return true;
	fd = openat(parent_fd, name, OPEN_FOLDER | O_NOFOLLOW);
	if (fd < 0)
		return false;
	list = open_list(fd);
	while (list != NULL && (entry = readdir(list)) != NULL)
		if (!is_dots(entry->d_name))
			(void) unlinkat(fd, entry->d_name, 0);
	if (list != NULL)
		(void) closedir(list);
	(void) close(fd);
	return unlinkat(parent_fd, name, AT_REMOVEDIR) == 0;
}

int64
sp_folder_free_bytes(const SpFolder *folder)
{
	struct statvfs facts;

	if (fstatvfs(folder->fd, &facts) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not ask for the free space of \"%s\": %m", folder->path)));
	return (int64) facts.f_bavail * (int64) facts.f_frsize;
}

/* ---- names ---- */

static bool
ends_with(const char *name, const char *end)
{
	Size		length = strlen(name);

	return length > strlen(end) && strcmp(name + length - strlen(end), end) == 0;
}

static void
sweep_one(const SpFolder *folder)
{
	ListCell   *cell;

	foreach(cell, sp_folder_names(folder))
	{
		const char *name = lfirst(cell);

		/* another session may restore by its list now; the next one makes it anew */
		if (strcmp(name, SP_BACKUP_TOC_LIST) == 0)
			continue;
		if ((ends_with(name, SP_BACKUP_PARTIAL) || ends_with(name, SP_BACKUP_DELETED)) &&
			!sp_folder_remove(folder->fd, name))
			ereport(WARNING,
					(errcode_for_file_access(),
					 errmsg("could not remove \"%s/%s\": %m", folder->path, name)));
	}
}

void
sp_backup_sweep(const SpFolder *folder)
{
	SpFolder   *artefacts = sp_folder_open(folder, SP_BACKUP_ARTEFACTS, true);

	sweep_one(folder);
	if (artefacts == NULL)
		return;
	sweep_one(artefacts);
	sp_folder_close(artefacts);
}

/* In a shape 0 stands for a digit, a for a digit or small letter, K for a kind, others for themselves. */
static bool
has_shape(const char *text, const char *shape)
{
	if (strlen(text) != strlen(shape))
		return false;
	for (int i = 0; shape[i] != '\0'; i++)
	{
		char		c = text[i];
		bool		is_digit = c >= '0' && c <= '9';

		if (shape[i] == '0' ? !is_digit :
			shape[i] == 'a' ? !is_digit && !(c >= 'a' && c <= 'z') :
			shape[i] == 'K' ? c != 'F' && c != 'M' : c != shape[i])
			return false;
	}
	return true;
}

bool
sp_backup_is_label(const char *name)
{
	return has_shape(name, "00000000T000000Z-K-aaaaaa");
}

bool
sp_backup_is_time(const char *text)
{
	return has_shape(text, "0000-00-00T00:00:00.000000Z") || has_shape(text, "0000-00-00T00:00:00Z");
}

bool
sp_backup_is_artefact(const char *name)
{
	Size		hash = strspn(name, "0123456789abcdef");

	return hash == 2 * SP_SHA256_SIZE && (name[hash] == '\0' || (name[hash] == '.' && sp_backup_is_filter_id(name + hash + 1)));
}

bool
sp_backup_is_filter_id(const char *text)
{
	return text[0] == 'f' && strlen(text) == SP_FILTER_ID_SIZE - 1 &&
		strspn(text + 1, "0123456789abcdef") == SP_FILTER_ID_SIZE - 2;
}

void
sp_backup_new_label(char kind, int64 seconds_ahead, char label[SP_LABEL_SIZE])
{
	static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyz";
	pg_time_t	at = (pg_time_t) (time(NULL) + seconds_ahead);
	uint8		random[RANDOM_LETTERS];
	Size		length = pg_strftime(label, SP_LABEL_SIZE, "%Y%m%dT%H%M%SZ", pg_gmtime(&at));

	if (length != TIME_LETTERS || !pg_strong_random(random, sizeof(random)))
		elog(ERROR, "could not make a label for a backup");
	label[length++] = '-';
	label[length++] = kind;
	label[length++] = '-';
	for (int i = 0; i < RANDOM_LETTERS; i++)
		label[length++] = letters[random[i] % (sizeof(letters) - 1)];
	label[length] = '\0';
}
