# Clock.pm - servers whose clock a test sets. It is the machine's and a number of
# seconds that a file has, by a library that is loaded ahead of libc:
#
#     { local $ENV{LD_PRELOAD} = clock_library(); $node->start }
package Clock;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use POSIX ();
use PostgreSQL::Test::Utils;

our @EXPORT = qw(clock_library set_clock);

$ENV{TZ} = 'UTC';
POSIX::tzset();
my $dir;

# Not when this is loaded: the tests' folder is not there yet.
sub folder { return $dir //= PostgreSQL::Test::Utils::tempdir() }

sub clock_library
{
    my $dir   = folder();
    my $shift = "$dir/seconds";
    return "$dir/clock.so" if -e "$dir/clock.so";
    append_to_file("$dir/clock.c", <<"C");
#include <fcntl.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

int
gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec real;
    char text[32] = "";
    int file = open("$shift", O_RDONLY | O_CLOEXEC);

    (void) zone;
    clock_gettime(CLOCK_REALTIME, &real);
    if (file >= 0 && read(file, text, sizeof(text) - 1) < 0)
        text[0] = '\\0';
    if (file >= 0)
        close(file);
    now->tv_sec = real.tv_sec + atol(text);
    now->tv_usec = real.tv_nsec / 1000;
    return 0;
}
C
    system_or_bail('cc', '-shared', '-fPIC', '-o', "$dir/clock.so", "$dir/clock.c");
    return "$dir/clock.so";
}

# It is that time now, as seconds since 1970, and goes on from there.
sub set_clock
{
    my ($time) = @_;
    my $shift = folder() . '/seconds';
    append_to_file("$shift.new", sprintf('%d', $time - time));
    rename "$shift.new", $shift or die "rename: $!";
    return;
}

1;
