# Perl's WWW::Curl::Easy, two calls on one handle: an answer, then a streamed one. Usage: www_curl.pl URL
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use WWW::Curl::Easy;

sub tell_header {
    my ($line) = @_;
    print $line;
    return length $line;
}

sub tell_chunk {
    my ($bytes) = @_;
    print 'chunk of ', length $bytes, "\n", $bytes;
    return length $bytes;
}

my $curl = WWW::Curl::Easy->new;
$curl->setopt(CURLOPT_URL, $ARGV[0]);
$curl->setopt(CURLOPT_HTTPHEADER, ['Content-Type: application/json']);
$curl->setopt(CURLOPT_HEADERFUNCTION, \&tell_header);
$curl->setopt(CURLOPT_WRITEFUNCTION, \&tell_chunk);
for my $stream ('false', 'true') {
    $curl->setopt(CURLOPT_POSTFIELDS, qq({"stream":$stream,"messages":[{"role":"user","content":"From Perl"}]}));
    my $code = $curl->perform;
    print "\n", $code, ' ', $curl->getinfo(CURLINFO_RESPONSE_CODE), ' ', $curl->getinfo(CURLINFO_CONTENT_TYPE), ' ', $curl->errbuf, "\n";
}
