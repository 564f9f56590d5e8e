/*
 * test/unit/test_server_minor.c
 *
 * Which minor releases health() warns of.
 */
#include "base/sp_server_minor.h"
#include "sp_test.h"

int
main(void)
{
	static const struct
	{
		int			server;
		int			wanted;
	}			cases[] = {
		{150000, 19}, {150018, 19}, {150019, 19}, {150020, 19}, {160014, 15}, {170010, 11}, {180005, 6}, {180006, 6},
		{140099, 0}, {190000, 0}, {90624, 0}, {0, 0}
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ok(sp_wanted_minor(cases[i].server) == cases[i].wanted, "of %d, %d is wanted", cases[i].server, cases[i].wanted);
	return done_testing();
}
