# Which sets retention keeps, against a model of its rules in a few lines: random sets, many of them at
# the edges of days, weeks, months and years, in sessions of any time zone.
use strict;
use warnings FATAL => 'all';

use POSIX qw(strftime);
use Test::More;

use Backup;

my ($node) = backup_server('retention');
my $seed = $ENV{SP_SEED} // time;
srand($seed);
note "seed $seed";

my $now;

# Instants around which periods change, and any others, in the last three years.
sub instant
{
    my ($year) = strftime('%Y', gmtime($now));
    my @edges = map { my $y = $_; map { "$y-$_" } qw(01-01 03-01 07-01 12-31) } $year - 2 .. $year - 1;
    return $now - int(rand(40 * 86400)) if rand() < 0.5;
    return $now - int(rand(3 * 365 * 86400)) if rand() < 0.4;
    my ($y, $m, $d) = split /-/, $edges[ int rand @edges ];
    my $edge = POSIX::mktime(0, 0, 0, $d, $m - 1, $y - 1900);
    return $edge + int(rand(5)) - 2 + 86400 * (int(rand(15)) - 7);
}

# The names of a set's day, ISO week, month and year, in UTC.
sub periods { my ($at) = @_; return map { strftime($_, gmtime($at)) } '%Y-%m-%d', '%G-%V', '%Y-%m', '%Y' }

# The rules as the reference has them.
sub kept
{
    my ($sets, @keep) = @_;
    my $minimum = pop @keep;
    my %kept;
    my %groups;
    push @{ $groups{"$_->{database} $_->{kind}"} }, $_ foreach grep { $_->{status} ne 'failed' } @$sets;
    foreach my $group (values %groups)
    {
        my @newest = sort { $b->{at} <=> $a->{at} || $b->{id} <=> $a->{id} } @$group;
        my @best   = ((grep { $_->{status} eq 'verified' } @newest), (grep { $_->{status} ne 'verified' } @newest));
        $kept{ $newest[0]{id} } = 1;
        $kept{ $_->{id} } = 1 foreach grep { $_->{permanent} } @newest;
        my $stay = $minimum > 1 ? $minimum : 1;
        $kept{ $_->{id} } = 1 foreach grep { defined } @best[ 0 .. ($stay < @best ? $stay : @best) - 1 ];
        foreach my $p (0 .. 3)
        {
            my (%first, @names);
            foreach my $set (@newest)    # the periods that have a set, from the newest one
            {
                my $name = (periods($set->{at}))[$p];
                push @names, $name unless $first{$name}++;
            }
            my %wanted = map { $_ => 1 } grep { defined } @names[ 0 .. $keep[$p] - 1 ];
            foreach my $set (@best)
            {
                my $name = (periods($set->{at}))[$p];
                $kept{ $set->{id} } = 1 if delete $wanted{$name};
            }
        }
    }
    foreach my $set (grep { $_->{status} eq 'failed' } @$sets)
    {
        $kept{ $set->{id} } = 1
          if $set->{permanent} || $set->{at} > $now - 7 * 86400
          || !grep { $_->{status} eq 'verified' && $_->{database} eq $set->{database} && $_->{kind} eq $set->{kind} && $_->{at} > $set->{at} } @$sets;
    }
    return \%kept;
}

local $ENV{TZ} = 'UTC';
POSIX::tzset();
my $wrong = 0;
my $cases = 150;
my ($went, $stayed) = (0, 0);
foreach my $case (1 .. $cases)
{
    my $id = 0;
    $now = time;
    my @sets = map { { id => ++$id, at => instant(), database => rand() < 0.8 ? 'postgres' : 'other', kind => rand() < 0.6 ? 'models' : 'full',
        status => (qw(complete complete verified failed))[ int rand 4 ], permanent => rand() < 0.03 ? 'true' : '' } } 1 .. 1 + int(rand(60));
    # within the minute around a week's age, the server's clock and this one may differ
    @sets = grep { abs($now - 7 * 86400 - $_->{at}) > 60 } @sets;
    next unless @sets;
    my @keep = map { int(rand(6)) } 1 .. 5;
    my $values = join(', ', map { sprintf(q{(%d, '%s-%s-%06d', '%s', '%s', '%s', %s, to_timestamp(%d))}, $_->{id},
        strftime('%Y%m%dT%H%M%SZ', gmtime($_->{at})), $_->{kind} eq 'full' ? 'F' : 'M', $_->{id},
        $_->{database}, $_->{kind}, $_->{status}, $_->{permanent} || 'false', $_->{at}) } @sets);
    my $zone = (qw(UTC Asia/Kathmandu America/St_Johns Pacific/Kiritimati))[ int rand 4 ];
    my $gone = $node->safe_psql('postgres', "DELETE FROM smartpouch.backup;
        INSERT INTO smartpouch.backup (id, label, database, kind, status, permanent, started_at) VALUES $values;
        SET timezone = '$zone';
        SELECT id FROM smartpouch.expire_backups(true, " . join(', ', @keep) . ') ORDER BY id');
    my $kept     = kept(\@sets, @keep);
    my $expected = join("\n", grep { !$kept->{$_} } map { $_->{id} } @sets);
    $went += () = $gone =~ /\d+/g;
    $stayed += keys %$kept;
    next if $gone eq $expected;
    $wrong++;
    diag "case $case, keep @keep: expected to go\n$expected\ngot\n$gone\n" . join("\n", map { "$_->{id} " . strftime('%FT%T', gmtime($_->{at})) . " $_->{database} $_->{kind} $_->{status} $_->{permanent}" } @sets);
}
is($wrong, 0, "$cases random folders are thinned out as the rules say");
cmp_ok($went, '>', 500, 'many went');
cmp_ok($stayed, '>', 500, 'and many stayed');

done_testing();
