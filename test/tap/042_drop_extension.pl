# DROP EXTENSION while sessions predict from shared memory: what they have begun
# they end with the same numbers, what comes after knows nothing of it, and a new
# installation under the same names serves its own models.
use strict;
use warnings FATAL => 'all';

use IPC::Run ();
use PostgreSQL::Test::Cluster;
use Test::More;

use Smartpouch;

my $fixture = read_fixture('xgb_diabetes_squarederror');
my $other   = read_fixture('xgb_diabetes_tweedie');
my $table   = qq("$fixture->{name}");

foreach my $preload ("shared_preload_libraries = 'smartpouch'", "shared_preload_libraries = ''")
{
    my $name = $preload =~ /pouch/ ? 'shared' : 'own copies';
    my $node = new_server($name =~ s/ /_/r, conf => "$preload\nmax_prepared_transactions = 2");
    load_fixture($node, $fixture);
    import_fixture($node, $_, 'm') foreach ($fixture, $other);
    $node->safe_psql('postgres', "SELECT smartpouch.promote('m', 1, 'production')");
    my $sum = qq{SELECT sum(smartpouch.predict('m', r)) FROM $table r};
    my ($first, $second) = map { $node->safe_psql('postgres', $sum =~ s/'m'/'m:$_'/r) } (1, 2);

    my ($in, $out, $err) = ('', '', '');
    my $session = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres') ],
        '<', \$in, '>', \$out, '2>', \$err, IPC::Run::timeout(600));
    my $ask = sub {
        my ($sql) = @_;
        ($out, $err) = ('', '');
        $in .= "$sql;\n\\echo done\n";
        IPC::Run::pump($session) until $out =~ /done\n/;
        $out =~ s/done\n//;
        chomp $out;
        return $out;
    };
    is($ask->($sum), $first, "$name: a session that is warm");
    $ask->(qq{BEGIN; DECLARE c NO SCROLL CURSOR FOR SELECT smartpouch.predict('m', r) FROM $table r});
    my @got = split /\n/, $ask->('FETCH 5 FROM c');
    $node->safe_psql('postgres', "SET lock_timeout = '20s'; DROP EXTENSION smartpouch");
    push @got, split /\n/, $ask->('FETCH ALL FROM c');
    my $total = 0;
    $total += $_ foreach @got;
    # when the session learns of it in the middle, a clear error is an answer as well
    ok($err =~ /extension smartpouch is not installed/ || abs($total - $first) < 1e-6 * abs($first),
        "$name: a cursor goes on where the extension is gone, or says that it is");
    $ask->('COMMIT');
    $ask->($sum);
    like($err, qr/does not exist/, "$name: what comes after knows nothing of it");

    # the same names, another model
    $node->safe_psql('postgres', 'CREATE EXTENSION smartpouch');
    $ask->($sum);
    like($err, qr/model "m" does not exist/, "$name: nor of its models");
    import_fixture($node, $other, 'm');
    $node->safe_psql('postgres', "SELECT smartpouch.promote('m', 1, 'production')");
    is($ask->($sum), $second, "$name: a new installation serves its own models");
    if ($name eq 'shared')
    {
        is($node->safe_psql('postgres', q{SELECT count(*) FROM smartpouch.model_cache WHERE shared AND versions = '{}'}), 0,
            "$name: images of the old one are freed");
        is($node->safe_psql('postgres', q{SELECT count(*) FROM smartpouch.model_cache WHERE shared}), 1, "$name: and one is in memory");
    }
    is($node->safe_psql('postgres', q{SELECT count(*) FROM smartpouch.verify_history()}), 0, "$name: with a history of its own");

    # a promotion that is prepared is seen with its second phase
    import_fixture($node, $fixture, 'm');
    is($ask->($sum), $second, "$name: before");
    $node->safe_psql('postgres', "BEGIN; SELECT smartpouch.promote('m', 2, 'production'); PREPARE TRANSACTION 'promotion'");
    is($ask->($sum), $second, "$name: prepared");
    $node->safe_psql('postgres', "COMMIT PREPARED 'promotion'");
    is($ask->($sum), $first, "$name: committed");
    $in .= "\\q\n";
    IPC::Run::finish($session);
    $node->stop;
}
done_testing();
