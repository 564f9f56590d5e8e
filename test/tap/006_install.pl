# CREATE EXTENSION takes no schema that another role could have prepared.
use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use Test::More;

use Smartpouch;

my $node = new_server('install', before => 'CREATE ROLE mallory; GRANT CREATE ON DATABASE postgres TO mallory');

sub install
{
    my ($prepare) = @_;
    $node->safe_psql('postgres', 'DROP EXTENSION IF EXISTS smartpouch; DROP SCHEMA IF EXISTS smartpouch CASCADE');
    $node->safe_psql('postgres', $prepare);
    my ($code, $out, $err) = $node->psql('postgres', 'CREATE EXTENSION smartpouch');
    return $code == 0 ? 'installed' : $err;
}

is(install('SELECT'), 'installed', 'without a schema');
is(install('CREATE SCHEMA smartpouch'), 'installed', 'into an empty schema of our own, as a restore does');
like(install('SET ROLE mallory; CREATE SCHEMA smartpouch'), qr/belongs to another role/,
    'not into a schema of another role');
like(install('CREATE SCHEMA smartpouch; CREATE FUNCTION smartpouch.predict(text, integer[]) RETURNS float8 LANGUAGE sql AS $$ SELECT 1.0 $$'),
    qr/schema smartpouch is not empty/, 'not beside functions');
like(install('CREATE SCHEMA smartpouch; CREATE TABLE smartpouch.mine ()'), qr/schema smartpouch is not empty/, 'nor tables');
like(install('CREATE SCHEMA smartpouch; CREATE TYPE smartpouch.mine AS ENUM ()'), qr/schema smartpouch is not empty/, 'nor types');

# the library and the SQL objects must fit
is(install('SELECT'), 'installed', 'installed again');
$node->safe_psql('postgres', q{UPDATE pg_extension SET extversion = '0.1' WHERE extname = 'smartpouch'});
my ($code, $out, $err) = $node->psql('postgres', q{SELECT smartpouch.predict('m', ARRAY[1])});
like($err, qr/does not fit the installed SQL objects of version 0\.1/, 'another version of the SQL objects is noticed');
like($err, qr/ALTER EXTENSION smartpouch UPDATE/, 'with what to do');
is($node->safe_psql('postgres', q{EXPLAIN (COSTS OFF) SELECT smartpouch.predict('m', ARRAY[1])}), 'Result', 'but not while a query is planned');
is($node->safe_psql('postgres', q{SELECT smartpouch.health() ->> 'status'}), 'fail', 'health() says so');

# two databases of one cluster are two registries
$node->safe_psql('postgres', 'CREATE DATABASE other');
$node->safe_psql('postgres', q{UPDATE pg_extension SET extversion = '1.1.0' WHERE extname = 'smartpouch'});
$node->safe_psql('other', 'CREATE EXTENSION smartpouch');
my $fixture = read_fixture('xgb_diabetes_squarederror');
import_fixture($node, $fixture, 'm', 'postgres');
like(($node->psql('other', q{SELECT smartpouch.predict('m:1', ARRAY[1])}))[2], qr/model "m" does not exist/,
    'a model of one database is unknown in the other');

$node->stop;
done_testing();
