#lang racket/base
; Racket's ffi/unsafe, one call with a callback. Usage: racket racket.rkt URL
; SPDX-License-Identifier: MIT
(require ffi/unsafe)

(define libcurl (ffi-lib "libcurl" '("4")))
(define init (get-ffi-obj "curl_easy_init" libcurl (_fun -> _pointer)))
(define perform (get-ffi-obj "curl_easy_perform" libcurl (_fun _pointer -> _int)))
(define (setopt handle option type value)
  ((get-ffi-obj "curl_easy_setopt" libcurl (_fun #:varargs-after 2 _pointer _int type -> _int)) handle option value))

(define (take bytes size count _)
  (define copy (make-bytes (* size count)))
  (memcpy copy bytes (* size count))
  (display (bytes->string/utf-8 copy))
  (* size count))
(define _take (_fun #:keep #t _pointer _size _size _pointer -> _size))

(define handle (init))
(setopt handle 10002 _bytes (string->bytes/utf-8 (vector-ref (current-command-line-arguments) 0)))
(setopt handle 10165 _bytes #"{\"messages\":[{\"role\":\"user\",\"content\":\"From Racket\"}]}")
(setopt handle 20011 _take take)
(displayln (perform handle))
