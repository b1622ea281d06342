      *> COBOL, which calls the functions by name: one call that libcurl writes out itself. Usage: program-cob URL
      *> SPDX-License-Identifier: MIT
       identification division.
       program-id. asks.
       data division.
       working-storage section.
       01 easy usage pointer.
       01 answer usage binary-long.
       01 address-of-server pic x(200).
       01 question pic x(62) value
         z'{"messages":[{"role":"user","content":"From COBOL"}]}'.
       procedure division.
           accept address-of-server from argument-value
           inspect address-of-server
             replacing trailing spaces by low-values
           call "curl_easy_init" returning easy
           call "curl_easy_setopt" using by value easy 10002
             by reference address-of-server
           call "curl_easy_setopt" using by value easy 10015
             by reference question
           call "curl_easy_perform" using by value easy
             returning answer
           call "curl_easy_cleanup" using by value easy
           call "fflush" using by value 0
           display " " answer
           stop run.
