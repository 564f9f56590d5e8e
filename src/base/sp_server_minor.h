/*
 * src/base/sp_server_minor.h
 *
 * Minor releases of PostgreSQL with the fixes that dumps and extensions of
 * hostile origin call for: CVE-2026-14676 and, of pg_dump, CVE-2026-18408.
 */
#ifndef SP_SERVER_MINOR_H
#define SP_SERVER_MINOR_H

/* The least minor version for a server_version_num; 0 for majors of which nothing is known. */
extern int	sp_wanted_minor(int server_version_num);

#endif
