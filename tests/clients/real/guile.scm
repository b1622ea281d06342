; Guile's (system foreign), one call with a callback. Usage: guile --no-auto-compile guile.scm URL
; SPDX-License-Identifier: MIT
(use-modules (system foreign) (system foreign-library) (rnrs bytevectors))

(define libcurl (load-foreign-library "libcurl" #:extensions '(".so.4")))
(define (function name result . arguments)
  (foreign-library-function libcurl name #:return-type result #:arg-types arguments))

(define body (string->pointer "{\"messages\":[{\"role\":\"user\",\"content\":\"From Guile\"}]}"))
(define take
  (procedure->pointer size_t
    (lambda (bytes size count _)
      (display (utf8->string (pointer->bytevector bytes (* size count))))
      (* size count))
    (list '* size_t size_t '*)))

(define setopt (function "curl_easy_setopt" int '* int '*))
(define handle ((function "curl_easy_init" '*)))
(setopt handle 10002 (string->pointer (cadr (command-line))))
(setopt handle 10015 body)
(setopt handle 20011 take)
(display ((function "curl_easy_perform" int '*) handle))
(newline)
