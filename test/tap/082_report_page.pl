# The page of report_html() as Chromium shows it: contrast, sizes, what overlaps or is cut, on paper too, and that nothing leaves it.
use strict;
use warnings FATAL => 'all';

use File::Temp qw(tempdir);
use IPC::Run ();
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use Smartpouch;

my $chromium = `sh -c 'command -v chromium'`;
chomp $chromium;
die "chromium is missing: scripts/deps monitoring installs it\n" if !$chromium && $ENV{CI};
plan skip_all => 'chromium is not installed (scripts/deps monitoring)' if !$chromium;

my $node = new_server('report', conf => "shared_preload_libraries = 'smartpouch'\nsmartpouch.health_timeout = '1min'", allows_streaming => 1);
my $dir  = tempdir(CLEANUP => 1);

sub sql { my ($sql) = @_; return $node->safe_psql('postgres', $sql) }

# Runs in the page: what is wrong with it, as a list of sentences, is sent to the frame's owner.
my $probe = <<'JS';
<script>
addEventListener('load', () => {
  const wrong = [], printed = document.documentElement.hasAttribute('printed');
  const context = document.createElement('canvas').getContext('2d');
  const rgb = color => { context.clearRect(0, 0, 1, 1); context.fillStyle = color; context.fillRect(0, 0, 1, 1); return [...context.getImageData(0, 0, 1, 1).data]; };
  const luminance = c => { const l = c.slice(0, 3).map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * l[0] + 0.7152 * l[1] + 0.0722 * l[2]; };
  const contrast = (a, b) => { const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
  const behind = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c[3] === 255) return c; } return [255, 255, 255]; };
  let texts = 0, shapes = 0, worst = 99;
  for (const e of document.body.querySelectorAll('*')) {
    const style = getComputedStyle(e);
    if (e.closest('svg')) {
      const paint = e.matches('path.line') ? style.stroke : e.matches('path.bar, path.fault, rect.up, rect.down') ? style.fill : null;
      if (paint && ++shapes && contrast(rgb(paint), behind(e)) < 3) wrong.push('shape ' + e.getAttribute('class') + ' has too little contrast');
      continue;
    }
    if (e.matches('script') || ![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
    texts++;
    const c = contrast(rgb(style.color), behind(e));
    worst = Math.min(worst, c);
    if (c < 4.5) wrong.push('contrast of "' + e.textContent.slice(0, 30) + '" is ' + c.toFixed(2));
    if (parseFloat(style.fontSize) < (printed ? 11 : 12)) wrong.push('"' + e.textContent.slice(0, 30) + '" is of ' + style.fontSize);
  }
  for (const axis of document.querySelectorAll('.x, .y')) {
    const boxes = [...axis.children].map(s => s.getBoundingClientRect()).filter(b => b.width > 0);
    boxes.forEach((a, i) => boxes.slice(i + 1).forEach(b => {
      if (a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom) wrong.push('labels of an axis overlap: ' + axis.textContent);
    }));
    for (const b of boxes) if (b.left < 0 || b.right > innerWidth) wrong.push('a label of an axis is cut: ' + axis.textContent);
  }
  if (document.documentElement.scrollWidth > innerWidth) wrong.push('the page is wider than its window');
  if (printed && rgb(getComputedStyle(document.body).backgroundColor).join() !== '255,255,255,255') wrong.push('paper is not white');
  if (printed) for (const t of document.querySelectorAll('table')) if (t.getBoundingClientRect().right > t.closest('section').getBoundingClientRect().right) wrong.push('a printed table is cut: ' + t.textContent.slice(0, 40));
  for (const s of document.querySelectorAll('.scroll')) { s.focus(); if (document.activeElement !== s) wrong.push('a table cannot be scrolled with keys'); }
  for (const s of document.querySelectorAll('svg[role=img]')) if (!s.getAttribute('aria-label')) wrong.push('a drawing has no name');
  if (document.scripts.length !== 1) wrong.push('there is a script');
  const asked = performance.getEntriesByType('resource').map(r => r.name);
  if (asked.length) wrong.push('it asks for ' + asked.join());
  const empty = [...document.querySelectorAll('section')].filter(s => !s.querySelector('table, svg, p, ul')).length;
  if (empty) wrong.push(empty + ' sections have nothing in them');
  parent.postMessage(JSON.stringify({wrong, texts, shapes, worst, blocked: window.blocked || [], width: innerWidth}), '*');
});
</script>
JS
# Nothing but what is in the page may be used, and who tries is noted.
my $guard = q(<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">)
  . q(<script>document.addEventListener('securitypolicyviolation', e => (window.blocked = window.blocked || []).push(e.blockedURI + ' ' + e.violatedDirective)); document.currentScript.remove()</script>);

# As on paper, even of a browser that prefers dark: what holds for print holds, and what holds for screens does not.
sub as_printed
{
    my ($page) = @_;
    $page =~ s/<html/<html printed/                   or die 'no html';
    $page =~ s/\@media print\{/\@media all{/          or die 'no style of print';
    $page =~ s/\@media screen and/\@media print and/g or die 'no style of screens';
    return $page;
}

sub look
{
    my ($html, $width, $scheme, $comment) = @_;
    my $page = $scheme eq 'print' ? as_printed($html) : $html;
    $page =~ s/<head>/<head>$guard/        or die 'no head';
    $page =~ s/<\/body>/$probe<\/body>/    or die 'no body';
    append_to_file("$dir/page.html", '');
    unlink "$dir/page.html";
    append_to_file("$dir/page.html", $page);
    unlink "$dir/frame.html";
    append_to_file("$dir/frame.html",
        qq(<body><iframe src="page.html" style="border:0;width:${width}px;height:2000px"></iframe><script>addEventListener('message', e => document.body.textContent = 'FOUND' + e.data + 'END')</script>));
    my ($out, $err) = ('', '');
    my @root = $> == 0 ? '--no-sandbox' : ();
    IPC::Run::run([ $chromium, '--headless', @root, '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update',
            '--disable-sync', '--disable-dev-shm-usage', "--user-data-dir=$dir/profile", '--blink-settings=preferredColorScheme=' . ($scheme eq 'light' ? 1 : 0),
            '--window-size=1400,2000', '--virtual-time-budget=10000', '--dump-dom', "file://$dir/frame.html" ], '<', \undef, '>', \$out, '2>', \$err, IPC::Run::timeout(600));
    my ($found) = $out =~ /FOUND(.*)END/s;
    return fail("$comment: Chromium says nothing: $err") if !defined $found;
    $found =~ s/&lt;/</g;
    $found =~ s/&gt;/>/g;
    $found =~ s/&amp;/&/g;
    $found = decode_json($found);
    is(join("\n", @{ $found->{wrong} }, @{ $found->{blocked} }), '', "$comment, $width pixels, $scheme");
    cmp_ok($found->{texts}, '>', 20, "which has been looked at: contrast is at least $found->{worst}");
    is($found->{width}, $width, 'at its width');
    return $found;
}

# --- a probe that finds nothing would prove nothing
{
    my $bad = '<!doctype html><html><head></head><body style="background:#fff"><p style="color:#999">grey</p><p style="font-size:8px">small</p>'
      . '<section><h2>x</h2></section><img src="http://127.0.0.1:9/x.png"><script>1</script><div class="x"><span>ab</span><span style="margin-left:-9px">cd</span></div></body></html>';
    my @said;
    {
        local $TODO = 'all of it is wrong';
        no warnings 'redefine';
        local *main::is     = sub { push @said, $_[0]; return 1 };
        local *main::cmp_ok = sub { return 1 };
        look($bad, 400, 'light', 'a bad page');
    }
    my $said = $said[0] // '';
    like($said, $_, 'the probe sees what is wrong') foreach (qr/contrast of "grey" is 2\.8/, qr/"small" is of 8px/, qr/there is a script/, qr/labels of an axis overlap/, qr/sections have nothing/, qr/127\.0\.0\.1:9\S* img-src/);
}

# --- nothing at all, long periods, and the shortest
look(sql('SELECT smartpouch.report_html()'), 1280, 'light', 'an empty page');
look(sql("SELECT smartpouch.report_html('10 years')"), 400, 'dark', 'an empty page of ten years');

# --- traffic with all that a page has, and names that are none
sql(slurp_file(source_dir() . '/test/pgtap/tiny.inc'));
my $long = 'a_name_of_63_bytes_' x 3 . 'abcdef';
# in a transaction, for which it is one time
sql(<<"SQL");
BEGIN;
SELECT smartpouch.import_model('$long', artifact), smartpouch.import_model('m', artifact) FROM tiny WHERE name = 'regression';
SELECT smartpouch.promote('$long', 1, 'production', '<img src=x onerror=document.title=1> ]]> ' || repeat('a long note ', 40)), smartpouch.promote('m', 1, 'staging');
SELECT smartpouch._rollup_partition('rollup_minute', now() - d * interval '1 day') FROM generate_series(0, 1) d;
SELECT smartpouch._rollup_partition('usage_hour', now());
INSERT INTO smartpouch.rollup_minute
SELECT date_trunc('minute', now()) - i * interval '1 minute', m.id, 1, 'production', m.name, c, c, 20000 * c, 0, ARRAY[f, f, f, f, f]::bigint[],
    ARRAY[c, c / 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, f]::bigint[], 1, CASE WHEN i BETWEEN 331 AND 338 THEN 0 ELSE 1 END
FROM smartpouch.model m, generate_series(0, 1439) i, LATERAL (SELECT (3000 + 2500 * sin(i / 150.0))::bigint AS c, (CASE WHEN i BETWEEN 300 AND 340 THEN 40 ELSE 0 END)::bigint AS f) x;
INSERT INTO smartpouch.usage_hour
SELECT date_trunc('hour', now()), 'api key', v.owner, m.id, m.name, 10, 30, 9e9, '{1,0,0,0,0}'
FROM smartpouch.model m, (VALUES ('<script>document.title=1</script>]]>"''&'), (repeat('unbroken', 40)), (repeat(E'\\u4fa1\\u683c', 60)), (E'\\u202eturned')) v (owner);
INSERT INTO smartpouch.rollup_state VALUES ('minute', date_trunc('minute', now()), now());
SELECT smartpouch._rollup_sum('minute', 'hour'), smartpouch._rollup_sum('hour', 'day');
SELECT smartpouch.set_baseline('m\@staging', 'SELECT ARRAY[random(), random()] FROM generate_series(1, 5000)');
SET smartpouch.sample_percent = 100;
SELECT count(smartpouch.predict('m\@staging', ARRAY[random(), 2 * random()])) FROM generate_series(1, 5000);
INSERT INTO smartpouch.backup (label, kind, status, finished_at, reason, bytes, verified_at) VALUES ('x', 'full', 'failed', now(), '<b>No space left</b> ' || repeat('x', 200), NULL, NULL),
    ('y', 'full', 'verified', now(), NULL, 1e9, now());
COMMIT;
SQL
foreach my $period ('24 hours', '1 hour', '1 minute', '1 year')
{
    my $page = sql("SELECT smartpouch.report_html('$period')");
    unlike($page, qr/\x{202e}|\xe2\x80\xae/, 'nothing turns the direction of a page');
    look($page, $_->[0], $_->[1], "a page of $period") foreach ($period eq '24 hours' ? ([ 1280, 'light' ], [ 1280, 'dark' ], [ 400, 'light' ], [ 400, 'dark' ], [ 690, 'print' ]) : [ 400, 'dark' ]);
}

# --- only errors, and traffic of nothing
sql("UPDATE smartpouch.rollup_hour SET latencies = '{0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,5}', calls = 5, errors = '{1,1,1,1,1}'");
look(sql('SELECT smartpouch.report_html()'), 1280, 'light', 'a page of failures');
sql("UPDATE smartpouch.rollup_hour SET latencies = array_fill(0::bigint, ARRAY[18]), calls = 0, rows = 0, errors = '{0,0,0,0,0}'");
like(sql('SELECT smartpouch.report_html()'), qr/<h2>Traffic<\/h2><p class="empty">Nothing was asked of a model/, 'no traffic is no error');
look(sql('SELECT smartpouch.report_html()'), 1280, 'light', 'a page without traffic');

# --- what is no longer kept by minute is shown by hour
is(sql("SELECT smartpouch._report_facts('3 hours') ->> 'level'"), 'minute', 'three hours are shown by minutes');
$node->append_conf('postgresql.conf', "smartpouch.rollup_minute_retention = '2h'");
$node->reload;
is($node->poll_query_until('postgres', "SELECT smartpouch._report_facts('3 hours') ->> 'level' = 'hour'"), 1, 'or by hours, when minutes are not kept that long');

# --- a standby reports as well
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
like($standby->safe_psql('postgres', 'SELECT smartpouch.report_html()'), qr/<\/html>/, 'a page of a standby');
like($standby->safe_psql('postgres', 'SELECT smartpouch.report()'), qr/\nModels\n/, 'and a text');
$standby->stop;
$node->stop;
done_testing();
