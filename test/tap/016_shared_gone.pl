# Images in shared memory whose models go away: by replay on a standby, with the extension, with the database.
use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use Test::More;

use Smartpouch qw(:DEFAULT session ask bye);

my $conf    = "shared_preload_libraries = 'smartpouch'\nautovacuum = off\n";
my $fixture = read_fixture('xgb_diabetes_squarederror');
my $other   = read_fixture('xgb_diabetes_tweedie');
my $table   = qq("$fixture->{name}");

sub cache { my ($node, $what, $database) = @_; return $node->safe_psql($database // 'postgres', "SELECT $what FROM smartpouch.model_cache") }
sub sum { my ($model) = @_; return "SELECT sum(smartpouch.predict('$model', r)) FROM $table r" }
sub open_cursor { my ($s, $model) = @_; return ask($s, "BEGIN; DECLARE c CURSOR FOR SELECT smartpouch.predict('$model', r) IS NOT NULL FROM $table r; FETCH 3 FROM c") }

# What a session is told last; its next words begin anew.
sub complaint { my ($s) = @_; my $err = $s->{err}; $s->{err} = ''; return $err }

my $primary = new_server('gone', conf => $conf, allows_streaming => 1);
load_fixture($primary, $fixture);
import_fixture($primary, $fixture, 'stays');
import_fixture($primary, $other,   'goes');
import_fixture($primary, $fixture, 'versions');
import_fixture($primary, $other,   'versions');
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('gone_standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', 'max_standby_streaming_delay = -1');
$standby->start;
my $caught_up = sub { return $primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert')) };
$caught_up->();

# --- a standby that replays drop_model and drop_version
my $warm   = session($standby);
my $reader = session($standby);
my $answer = ask($warm, sum('stays:1'));
ask($warm, sum('goes:1'));
is(cache($standby, 'count(*)'), 2, 'two contents are shared on the standby');
is(open_cursor($reader, 'goes:1'), "t\nt\nt", 'one is in use there');
$primary->safe_psql('postgres', "SELECT smartpouch.drop_model('goes'), smartpouch.drop_version('versions:2')");
$caught_up->();
is(ask($warm, sum('stays:1')), $answer, 'other models go on');
is(cache($standby, "count(*) FILTER (WHERE versions = '{}')"), 1, 'what is in use stays');
is(ask($reader, 'FETCH 2 FROM c'), "t\nt", 'and answers to the end');
ask($reader, 'COMMIT');
like(complaint($reader), qr/^$/, 'without a complaint');
is(ask($reader, sum('goes:1')), '', 'the next statement of that session');
like(complaint($reader), qr/model "goes" does not exist/, 'is told that the model is gone');
$standby->safe_psql('postgres', sum('stays:1'));
my $freed = $standby->poll_query_until('postgres', sum('stays:1') . " \\g /dev/null\nSELECT count(*) = 0 FROM smartpouch.model_cache WHERE versions = '{}'");
ok($freed, 'its image is freed on the standby by the predictions of others');
bye($_) for ($warm, $reader);
$standby->stop;

# --- DROP EXTENSION while models are in use
my $user  = session($primary);
my $early = session($primary);
is(ask($user, sum('stays:1')), $answer, 'a session that has a model');
ask($user, "PREPARE p AS " . sum('stays:1'));
open_cursor($early, 'versions:1');
$primary->safe_psql('postgres', 'CREATE DATABASE bystander');
$primary->safe_psql('bystander', 'CREATE EXTENSION smartpouch');
import_fixture($primary, $fixture, 'm', 'bystander');
load_fixture($primary, $fixture, 'bystander');
is($primary->safe_psql('bystander', sum('m:1')), $answer, 'another database has the same model');
my $bystander = session($primary, 'bystander');
ask($bystander, sum('m:1'));
my (undef, undef, $wait) = $primary->psql('postgres', "SET lock_timeout = '1s'; DROP EXTENSION smartpouch CASCADE");
like($wait, qr/^$|lock timeout/, 'DROP EXTENSION succeeds or waits for the statements that read the registry');
is(ask($early, 'FETCH 2 FROM c'), "t\nt", 'a cursor goes on') if $wait;
ask($early, 'ROLLBACK');
$primary->safe_psql('postgres', 'DROP EXTENSION smartpouch CASCADE') if $wait;
is(ask($user, 'EXECUTE p'), '', 'a prepared statement');
like(complaint($user), qr/does not exist/, 'is told that the function is gone');
is(ask($user, 'SELECT 1'), '1', 'in a session that lives');
is(ask($bystander, sum('m:1')), $answer, 'the other database goes on');
is(cache($primary, "string_agg(concat_ws(' ', database, versions), ',')", 'bystander'), 'bystander {m:1}', 'and has the only image that is left');
$primary->safe_psql('postgres', 'CREATE EXTENSION smartpouch');
import_fixture($primary, $other, 'stays');
isnt(ask($user, sum('stays:1')), $answer, 'a new extension has no old models');
is(ask($user, 'EXECUTE p'), ask($user, sum('stays:1')), 'and the prepared statement finds its function again');

# a drop that is undone takes nothing away
my $kept = ask($user, sum('stays:1'));
ask($user, 'BEGIN; SAVEPOINT s; DROP EXTENSION smartpouch CASCADE; ROLLBACK TO s; COMMIT');
is(ask($user, sum('stays:1')), $kept, 'a drop that is undone');

# --- DROP EXTENSION by the session whose own cursor uses a model
ask($user, "BEGIN; DECLARE c CURSOR FOR SELECT smartpouch.predict('stays:1', r) IS NOT NULL FROM $table r; FETCH 3 FROM c; DROP EXTENSION smartpouch CASCADE");
complaint($user);
ask($user, 'COMMIT');
is(ask($user, 'SELECT 1'), '1', 'a session that dropped what its own cursor uses lives');
$primary->safe_psql('postgres', 'CREATE EXTENSION IF NOT EXISTS smartpouch');

# --- DROP DATABASE while a model is in use: only by force, which gives the pins back
is(open_cursor($bystander, 'm:1'), "t\nt\nt", 'a model is in use');
my ($status, undef, $refused) = $primary->psql('postgres', 'DROP DATABASE bystander');
like($refused, qr/being accessed by other users/, 'a database that is in use stays');
is(ask($bystander, 'FETCH 1 FROM c'), 't', 'and so does its session');
$primary->safe_psql('postgres', 'DROP DATABASE bystander WITH (FORCE)');
import_fixture($primary, $fixture, 'again');
is($primary->safe_psql('postgres', sum('again:1')), $answer, 'the server goes on');
ok($primary->poll_query_until('postgres', sum('again:1') . " \\g /dev/null\nSELECT count(*) = 0 FROM smartpouch.model_cache WHERE database IS NULL"),
    'and frees the image of the database that is gone');
is(cache($primary, 'sum(pins)'), 0, 'no pin is left');
eval { bye($bystander) };
bye($_) for ($user, $early);
unlike(PostgreSQL::Test::Utils::slurp_file($primary->logfile), qr/was terminated by signal|PANIC|leak/, 'nothing crashed, nothing leaked');
$primary->stop;
done_testing();
