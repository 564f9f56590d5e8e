# SqlScript - reads sql/install in the order of the Makefile and splits it into
# statements, for the lint scripts "sql" and "docs".
package SqlScript;

use strict;
use warnings;

# Names of the fragments, in order.
sub fragments {
    my $list = `make -s print-INSTALL_SQL 2>/dev/null`;
    return split ' ', $list;
}

# Statements of one file: a list of { file, line, text, code }.  In "code", comments
# are gone, and quoted and dollar-quoted bodies are empty.
sub statements {
    my ($file) = @_;
    open my $in, '<', $file or die "$file: $!";
    my $sql = do { local $/; <$in> };
    my @found;
    my ($text, $code, $line, $start) = ('', '', 1, 0);
    pos($sql) = 0;
    while (pos($sql) < length $sql) {
        my ($piece, $kept);
        if    ($sql =~ /\G--[^\n]*/gc)                   { $piece = $&; $kept = '' }
        elsif ($sql =~ m{\G/\*.*?\*/}gcs)                { $piece = $&; $kept = ' ' }
        elsif ($sql =~ /\G(\$\w*\$).*?\1/gcs)        { $piece = $&; $kept = q('') }
        elsif ($sql =~ /\G'(?:[^']|'')*'/gcs)            { $piece = $&; $kept = $& }
        elsif ($sql =~ /\GBEGIN\s+ATOMIC\b.*?\bEND\s*(?=;)/gcsi) { $piece = $&; $kept = q('') }
        else  { $sql =~ /\G./gcs; $piece = $&; $kept = $& }
        $start = $line if !$start && $kept =~ /\S/;
        $text .= $piece;
        $code .= $kept;
        $line += ($piece =~ tr/\n//);
        if ($piece eq ';') {
            $code =~ s/\s+/ /g;
            $code =~ s/^ //;
            push @found, { file => $file, line => $start, text => $text, code => $code };
            ($text, $code, $start) = ('', '', 0);
        }
    }
    return @found;
}

sub all_statements { return map { statements($_) } fragments(); }

# Kind and bare name of what a statement makes, or ().
sub created {
    my ($code) = @_;
    return (lc $1, lc $2)
        if $code =~ /^CREATE (?:OR REPLACE )?(FUNCTION|PROCEDURE|AGGREGATE|VIEW) (?:IF NOT EXISTS )?(?:smartpouch\.|\@extschema\@\.)?"?(\w+)/i;
    return;
}

1;
