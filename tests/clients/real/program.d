// D's std.net.curl, which opens libcurl itself: one call. Usage: program-d URL
// SPDX-License-Identifier: MIT
import std.net.curl;
import std.stdio;

void main(string[] args)
{
    auto client = HTTP();
    client.addRequestHeader("Content-Type", "application/json");
    writeln(post(args[1], `{"messages":[{"role":"user","content":"From D"}]}`, client));
}
