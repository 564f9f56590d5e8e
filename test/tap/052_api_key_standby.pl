# API keys on a hot standby: it verifies, learns of revocations by replay, writes
# nothing, and refuses all keys when it may not know of revocations.
use strict;
use warnings FATAL => 'all';

use IPC::Run ();
use PostgreSQL::Test::Cluster;
use Test::More;

use Smartpouch;

my $primary = new_server('key_primary', allows_streaming => 1);
prepare_changes($primary);
$primary->safe_psql('postgres', "SELECT smartpouch.promote('a', 1, 'production')");
my $make = q{SELECT smartpouch.create_api_key('alice', ARRAY['predict:model/a'])};
my ($key, $lost) = map { $primary->safe_psql('postgres', $make) } 1 .. 2;
my $id = (split /_/, $lost)[2];
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('key_standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
# an idle primary is heard from every two seconds
$standby->append_conf('postgresql.conf', "wal_receiver_timeout = '4s'\nsmartpouch.max_auth_staleness = '6s'");
$standby->start;
my $caught_up = sub { $primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert')) };
$caught_up->();

my ($in, $out) = ('', '');
my $psql = IPC::Run::start([ 'psql', '-XAtq', '-d', $standby->connstr('postgres') ], '<', \$in, '>', \$out, '2>&1', IPC::Run::timeout(600));
my $ask = sub {
    my ($sql) = @_;
    $out = '';
    $in .= "$sql;\n\\echo done\n";
    IPC::Run::pump($psql) until $out =~ /^done\n/m;
    $out =~ s/^done\n//m;
    chomp $out;
    return $out;
};
my $code = sub { return $ask->("SELECT code FROM smartpouch.verify_api_key('$_[0]')") };
my $infer = sub { return $ask->("SELECT smartpouch.infer('$_[0]', 'a', '[40, 60]') ->> 'value'") };

is($code->($key) . ' ' . $code->($lost), 'valid valid', 'a standby verifies keys');
is($infer->($lost), '2.25', 'and predicts with them');
$ask->('BEGIN');
is($ask->("SELECT smartpouch.authenticate('$lost') = '$id', smartpouch.current_owner()"), 't|alice', 'a transaction has one');
$primary->safe_psql('postgres', "SELECT smartpouch.revoke_api_key('$id')");
$caught_up->();
is($ask->('SELECT smartpouch.current_owner() IS NULL'), 't', 'a revocation arrives with replay, in a transaction that has the key');
$ask->('COMMIT');
is($code->($lost), 'revoked', 'and in a warm session');
like($infer->($lost), qr/the API key is not valid/, 'which answers no more');
foreach my $call ("create_api_key('x', ARRAY['see:a'])", "rotate_api_key('$id')", "revoke_api_key('$id')", "enable_api_key('$id')",
    "disable_api_key('$id')", "set_api_key_scopes('$id', ARRAY['see:a'])", 'adopt_api_keys()')
{
    my ($name) = $call =~ /^(\w+)/;
    like($ask->("SELECT smartpouch.$call"), qr/cannot execute $name\(\) (during recovery|in a read-only transaction)/, "$name() is for the primary");
}

sleep 8;
is($code->($key), 'valid', 'an idle primary makes no standby stale');
$standby->safe_psql('postgres', 'SELECT pg_wal_replay_pause()');
$standby->poll_query_until('postgres', q{SELECT pg_get_wal_replay_pause_state() = 'paused'}) or die 'replay goes on';
$primary->safe_psql('postgres', 'CREATE TABLE t ()');
is($code->($key), 'valid', 'nor does a short pause');
$ask->('BEGIN');
$ask->("SELECT smartpouch.authenticate('$key')");
sleep 8;
is($code->($key), 'stale', 'a pause of replay that is longer than allowed does');
is($ask->('SELECT smartpouch.current_owner() IS NULL'), 't', 'a transaction has no key any more');
$ask->('COMMIT');
like($infer->($key), qr/this standby may not know of keys that were revoked/, 'infer() says that it is not the key');
like($ask->("\\set VERBOSITY verbose\nSELECT smartpouch.authenticate('$key')"), qr/55000/, 'with an error of its own');
$standby->safe_psql('postgres', 'SELECT pg_wal_replay_resume()');
$caught_up->();
is($code->($key), 'valid', 'caught up, it takes keys again');
$primary->stop('immediate');
is($code->($key), 'valid', 'a primary that has just gone');
sleep 8;
is($code->($key), 'stale', 'and one that has been gone for longer than allowed');
$standby->append_conf('postgresql.conf', 'smartpouch.max_auth_staleness = -1');
$standby->reload;
$standby->poll_query_until('postgres', "SELECT current_setting('smartpouch.max_auth_staleness') = '-1'") or die 'no reload';
is($standby->safe_psql('postgres', "SELECT code FROM smartpouch.verify_api_key('$key')"), 'valid', 'unless any age is allowed');
$standby->promote;
$standby->append_conf('postgresql.conf', "smartpouch.max_auth_staleness = '1s'");
$standby->reload;
sleep 2;
is($standby->safe_psql('postgres', "SELECT code FROM smartpouch.verify_api_key('$key')"), 'valid', 'after promotion it is a primary with the same keys');
$in .= "\\q\n";
IPC::Run::finish($psql);
$standby->stop;
done_testing();
