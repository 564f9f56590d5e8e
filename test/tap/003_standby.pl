# A hot standby predicts, follows promotions without being asked, and refuses writes.
use strict;
use warnings FATAL => 'all';

use IPC::Run ();
use PostgreSQL::Test::Cluster;
use Test::More;

use Smartpouch;

my $primary = new_server('primary', allows_streaming => 1);
my $fixture = read_fixture('xgb_diabetes_squarederror');
my $other   = read_fixture('xgb_diabetes_tweedie');
load_fixture($primary, $fixture);
import_fixture($primary, $fixture, 'm');
import_fixture($primary, $other,   'm');
$primary->safe_psql('postgres', "SELECT smartpouch.promote('m', 1, 'production')");

$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));

my $sum = qq{SELECT sum(smartpouch.predict('m', r)) FROM "$fixture->{name}" r};
my $first = $primary->safe_psql('postgres', $sum);
is($standby->safe_psql('postgres', $sum), $first, 'the standby predicts as the primary');

# One session on the standby, with its caches warm, over a promotion.
my ($in, $out, $err) = ('', '', '');
my $psql = IPC::Run::start([ 'psql', '-XAtq', '-d', $standby->connstr('postgres') ],
    '<', \$in, '>', \$out, '2>', \$err, IPC::Run::timeout(60));
my $ask = sub {
    my ($sql) = @_;
    $out = '';
    $in .= "$sql;\nSELECT 'done';\n";
    IPC::Run::pump($psql) until $out =~ /done\n/;
    $out =~ s/done\n//;
    chomp $out;
    return $out;
};
is($ask->($sum), $first, 'a session of the standby');
$primary->safe_psql('postgres', "SELECT smartpouch.promote('m', 2, 'production')");
my $second = $primary->safe_psql('postgres', $sum);
isnt($second, $first, 'the promotion changes answers');
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
is($ask->($sum), $second, 'the session of the standby follows it');
is($ask->("SELECT smartpouch.health() ->> 'status'"), 'pass', 'health() works on a standby');

my ($code, $stdout, $stderr) = $standby->psql('postgres',
    "SELECT smartpouch.promote('m', 1, 'production')");
like($stderr, qr/read-only transaction|during recovery/, 'the standby refuses to promote');
$in .= "\\q\n";
IPC::Run::finish($psql);

$standby->stop;
$primary->stop;
done_testing();
