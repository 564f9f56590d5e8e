# What is counted beside predictions: keys by what was wrong with them, limits by whose they are, models that are
# loaded, are not, and leave.
use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use Smartpouch;

my $node = new_server('events', conf => "shared_preload_libraries = 'smartpouch'");
sub sql { return $node->safe_psql('postgres', $_[0]) }
sub attempt { my ($sql) = @_; return ($node->psql('postgres', "\\set VERBOSITY sqlstate\n$sql"))[2] =~ s/.*ERROR:\s*(\w+).*/$1/sr }
$node->safe_psql('postgres', slurp_file(source_dir() . '/test/pgtap/tiny.inc'));
sql(q{SELECT smartpouch.import_model('m', artifact), smartpouch.promote('m', 1, 'production') FROM tiny WHERE name = 'regression'});

# what has changed of the counts of the database since the last look, as "counter.detail=n"
my %last;
sub counted
{
    my %now = map { split /=/ } split /\n/, sql(q{SELECT concat_ws('.', counter, detail) || '=' || value FROM smartpouch._database_counts()});
    my @changed = map { "$_=" . ($now{$_} - ($last{$_} // 0)) } grep { $now{$_} != ($last{$_} // 0) } sort keys %now;
    %last = %now;
    return join ' ', grep { !/^cache_hits/ } @changed;
}
my $features = q{'{"age": 40, "weight": 60}'};
sub infer { my ($token, $model) = @_; return attempt("SELECT smartpouch.infer('$token', '" . ($model // 'm') . "', $features)") }
sub new_key { my ($more) = @_; return sql("SELECT smartpouch.create_api_key('o', ARRAY['predict:model/m']" . ($more ? ", $more" : '') . ')') }
sub id_of { return (split /_/, $_[0])[2] }

# --- keys
counted();
my $key = new_key();
infer($key);
counted();
infer($key);
is(counted(), 'auth_attempts=1', 'a good key');
sub is_refused
{
    my ($token, $reason, $sqlstate) = @_;
    is(infer($token), $sqlstate // '28000', "$reason is refused");
    is(counted(), "auth_attempts=1 auth_failures.$reason=1", 'and counted as that');
    return;
}
is_refused('sp_live_nothing', 'malformed');
my $other = new_key();
is_refused(sql(q{BEGIN; SELECT smartpouch.create_api_key('o', ARRAY['predict:model/m']); ROLLBACK}), 'unknown');
is_refused(new_key(q{stage => 'staging'}), 'stage', '42501');
is_refused(new_key(q{not_before => now() + '1 hour'}), 'not_yet_valid');
sql(q{SELECT smartpouch.disable_api_key('} . id_of($other) . q{')});
is_refused($other, 'disabled');
sql(q{SELECT smartpouch.revoke_api_key('} . id_of($other) . q{')});
is_refused($other, 'revoked');
my $short = new_key(q{expires_in => '1 second'});
$node->poll_query_until('postgres', "SELECT code = 'expired' FROM smartpouch.verify_api_key('$short')");
counted();
is_refused($short, 'expired');
sql(q{SELECT smartpouch.import_model('n', artifact), smartpouch.promote('n', 1, 'production') FROM tiny WHERE name = 'regression'});
is(infer($key, 'n'), '42501', 'a model that the key is not for');
like(counted(), qr/auth_attempts=1 auth_failures.scope=1/, 'is counted as that');

# --- one that was replaced, while it is good
my $next = sql(q{SELECT smartpouch.rotate_api_key('} . id_of($key) . q{', '1 hour')});
counted();
infer($next);
is(counted(), 'auth_attempts=1', 'the new key');
infer($key);
is(counted(), 'auth_attempts=1 key_grace_uses=1', 'the old one is in grace');

# --- limits: until one call is over, as a second or a month later the next one passes
sub is_limited
{
    my ($token, $scope) = @_;
    my $said = '';
    infer($token);
    for (1 .. 100)
    {
        counted();
        $said = infer($token);
        last if $said eq '53400';
    }
    is($said, '53400', "over the limit: $scope");
    is(counted(), "auth_attempts=1 ratelimit_rejections.$scope=1", 'and counted as that');
    return;
}
is_limited(new_key('rate_limit => 1, burst => 1'), 'key');
is_limited(new_key('quota => 1'), 'quota');
sql(q{SELECT smartpouch.set_owner_limit('o', rate_limit => 1, burst => 1)});
is_limited(new_key(), 'owner');

# --- models
sql(q{SELECT smartpouch.evict_model('n')});
counted();
sql(q{SELECT smartpouch.predict('n', ARRAY[40, 60])});
is(counted(), 'cache_misses=1', 'a model that was not in memory');
sql(q{SELECT smartpouch.evict_model('n')});
is(counted(), 'cache_evictions=1', 'one that leaves it');
sub loads { return sql(q{SELECT COALESCE((SELECT loads || ' ' || failures FROM smartpouch.model_loads WHERE model = 'n'), '')}) }
is(loads(), '1 0', 'one load');
sql(q{ALTER TABLE smartpouch.blob DISABLE TRIGGER refuse_change; UPDATE smartpouch.blob SET bytes = set_byte(bytes, 10, get_byte(bytes, 10) # 1)});
my $n = 0;
foreach my $query ("SELECT smartpouch.predict('n', ARRAY[40, 60])", "SELECT smartpouch.predict('n', ARRAY[x, 60]) FROM generate_series(1, 10) x",
    "SELECT smartpouch.predict_batch('n', ARRAY[[40, 60]])", "SELECT smartpouch.predict_json('n', $features)")
{
    is(attempt($query), 'XX001', "damaged bytes: $query");
    is(loads(), '1 ' . ++$n, 'are a load that failed');
    is(sql(q{SELECT loads, load_failures, internal, errors FROM smartpouch.metrics WHERE model = 'n' AND stage = 'production'}), "1|$n|$n|$n", 'and an error of the version');
}
is(sql('SELECT sum(errors) FROM smartpouch.metrics WHERE model IS NULL'), sql(q{SELECT sum(denied) FROM smartpouch.metrics WHERE model IS NULL}), 'of no other');

$node->stop;
done_testing();
