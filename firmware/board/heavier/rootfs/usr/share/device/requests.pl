# SPDX-License-Identifier: MIT
# Count the requests in the web server's log by status and path.
use strict;
use warnings;
use IO::File;

my (%by_status, %by_path);
my $log = IO::File->new($ARGV[0], 'r') or die;
while (my $line = <$log>) {
    next unless $line =~ m{"(?<verb>[A-Z]+) (?<path>\S+) HTTP/[\d.]+" (?<status>\d{3}) (?<bytes>\d+)};
    $by_status{$+{status}}++;
    $by_path{lc $+{path}} += $+{bytes};
}
printf "%-24s %8d\n", $_, $by_path{$_} for sort { $by_path{$b} <=> $by_path{$a} || $a cmp $b } keys %by_path;
print join(' ', map { "$_=$by_status{$_}" } sort keys %by_status), "\n";
