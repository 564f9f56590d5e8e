# Jobs of a real pg_cron, for real minutes.
use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use Test::More;

use Smartpouch;

my $plain = new_server('plain', before => q{CREATE DATABASE "it's 100%"});
sub answer
{
    my ($server, $database, $query) = @_;
    my ($rc, $out, $err) = $server->psql($database, $query);
    return "$out\n$err";
}

# no pg_cron: what a crontab needs
like(answer($plain, 'postgres', 'SELECT job, schedule, scheduled, statement FROM smartpouch.schedule_jobs() WHERE job = $$rollup$$'),
    qr/^\Qrollup|* * * * *|f|* * * * * psql -XqAt -d 'postgres' -c 'SELECT smartpouch.rollup()'\E\n.*pg_cron is not loaded/s,
    'without pg_cron there are lines for a crontab');
$plain->safe_psql("it's 100%", 'CREATE EXTENSION smartpouch');
like(answer($plain, "it's 100%", 'SELECT statement FROM smartpouch.schedule_jobs() WHERE job = $$rollup$$'),
    qr/\Q-d 'it'\''s 100\%' -c\E/, 'with names quoted for it');
like(answer($plain, 'postgres', q{SELECT schedule FROM smartpouch.schedule_jobs('{"rollup": "*/5 * * * *"}') WHERE job = 'rollup'}), qr{^\*/5 \* }, 'options change schedules');
is($plain->safe_psql('postgres', q{SELECT count(*) FROM smartpouch.schedule_jobs('{"rollup": null}') WHERE job = 'rollup' AND statement IS NULL}), 1, 'or leave a job out');
like(answer($plain, 'postgres', q{SELECT smartpouch.schedule_jobs('{"make tea": "* * * * *"}')}), qr/there is no job "make tea".*The jobs are .*rollup/s, 'a job that there is not');
like(answer($plain, 'postgres', qq{SELECT smartpouch.schedule_jobs('{"rollup": $_}')}), qr/the schedule of job "rollup" must be five fields/, "schedule $_")
    foreach '"* * * *"', '"at noon"', '5', '{}', '"* * * * * ; rm"', '"* * * * *\n* * * * *"';
like(answer($plain, 'postgres', qq{SELECT smartpouch.schedule_jobs($_)}), qr/options must be a JSON object/, "options $_") foreach q{'[]'}, 'NULL';
like(answer($plain, 'postgres', 'SELECT smartpouch.unschedule_jobs()'), qr/^0\n.*pg_cron is no extension of this database/s, 'nothing to remove');
is($plain->safe_psql('postgres', q{SELECT smartpouch.health() -> 'checks' ?| '{jobs:scheduled,rollup:lag}'}), 'f', 'and nothing to check');
my $has_cron = $plain->safe_psql('postgres', q{SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_cron'});
$plain->stop;

SKIP:
{
    skip 'pg_cron is not installed', 12 unless $has_cron;
    my $node = PostgreSQL::Test::Cluster->new('cron');
    $node->init(extra => \@initdb_options);
    $node->append_conf('postgresql.conf', qq{
        shared_preload_libraries = 'smartpouch,pg_cron'
        cron.database_name = 'postgres'
        cron.use_background_workers = on
        max_worker_processes = 20});
    $node->start;
    $node->safe_psql('postgres', 'CREATE EXTENSION smartpouch');
    like(answer($node, 'postgres', 'SELECT statement FROM smartpouch.schedule_jobs()'),
        qr/^\QSELECT cron.schedule('smartpouch rollup in postgres', '* * * * *', 'SELECT smartpouch.rollup()')\E.*CREATE EXTENSION pg_cron/s,
        'pg_cron that is loaded, but not installed');
    $node->safe_psql('postgres', 'CREATE EXTENSION pg_cron');

    # another database: the statements, which work
    $node->safe_psql('postgres', 'CREATE DATABASE other');
    $node->safe_psql('other', 'CREATE EXTENSION smartpouch');
    my $elsewhere = answer($node, 'other', q{SELECT statement FROM smartpouch.schedule_jobs() WHERE job = 'rollup'});
    like($elsewhere, qr/^SELECT cron.schedule_in_database\(.*'other'\)\n.*pg_cron is in database "postgres"/s, 'from another database');
    my ($statement) = split /\n/, $elsewhere;
    $node->safe_psql('postgres', $statement);

    # here: once, however often it is called
    $node->safe_psql('postgres', 'SELECT smartpouch.schedule_jobs()') foreach 1 .. 3;
    is($node->safe_psql('postgres', q{SELECT string_agg(detail || ' ' || value, ', ' ORDER BY detail) FROM smartpouch._metric_jobs() WHERE family = 'cron_jobs'}),
        'failed 0, inactive 0, scheduled ' . $node->safe_psql('postgres', 'SELECT count(*) FROM smartpouch._jobs() WHERE is_wanted'), 'jobs are among the metrics');
    is($node->safe_psql('postgres', q{SELECT count(*) FROM cron.job WHERE jobname = 'smartpouch rollup in postgres'}), 1, 'idempotent');
    $node->safe_psql('postgres', q{SELECT smartpouch.schedule_jobs('{"rollup": "*/2 * * * *"}')});
    is($node->safe_psql('postgres', q{SELECT schedule FROM cron.job WHERE jobname = 'smartpouch rollup in postgres'}), '*/2 * * * *', 'a schedule is changed');
    $node->safe_psql('postgres', q{SELECT smartpouch.schedule_jobs()});

    # real minutes
    my $runs = q{SELECT count(*) >= 2 FROM cron.job_run_details d JOIN cron.job j USING (jobid)
        WHERE d.status = 'succeeded' AND j.jobname = 'smartpouch rollup in %s'};
    for (1 .. 150)
    {
        last if $node->safe_psql('postgres', sprintf($runs, 'postgres')) eq 't' && $node->safe_psql('postgres', sprintf($runs, 'other')) eq 't';
        sleep 1;
    }
    is($node->safe_psql('postgres', sprintf($runs, $_)), 't', "two runs in $_") foreach qw(postgres other);
    is($node->safe_psql($_, q{SELECT count(*) >= 1, min(samples) > 0 FROM smartpouch.rollup_minute}), 't|t', "minutes are there in $_") foreach qw(postgres other);
    is($node->safe_psql('postgres', q{SELECT smartpouch.health() #>> '{checks,jobs:scheduled,0,status}'}), 'pass', 'health() sees jobs that work');

    # jobs that do not
    $node->safe_psql('postgres', q{INSERT INTO cron.job_run_details (jobid, runid, status, return_message)
        SELECT jobid, 1000000, 'failed', 'the disk is full' FROM cron.job WHERE jobname = 'smartpouch rollup in postgres'});
    like($node->safe_psql('postgres', q{SELECT smartpouch.health() #>> '{checks,jobs:scheduled,0}'}), qr/rollup in postgres.*failed: the disk is full/, 'a failed run is a warning');
    $node->safe_psql('postgres', 'SELECT smartpouch.unschedule_jobs()');
    is($node->safe_psql('postgres', q{SELECT string_agg(jobname, ',') FROM cron.job}), 'smartpouch rollup in other', 'removed, and only those of this database');
    is($node->safe_psql('postgres', q{SELECT smartpouch.health() -> 'checks' ? 'jobs:scheduled'}), 'f', 'then there is nothing to check');
}

done_testing();
