/*
 * src/base/sp_server_minor.c
 */
#include "base/sp_server_minor.h"

int
sp_wanted_minor(int server_version_num)
{
	static const int wanted[][2] = {{15, 19}, {16, 15}, {17, 11}, {18, 6}};

	for (unsigned i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		if (server_version_num / 10000 == wanted[i][0])
			return wanted[i][1];
	return 0;
}
