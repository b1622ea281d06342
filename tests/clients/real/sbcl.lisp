;;; SBCL's sb-alien, one call that libcurl writes out itself. Usage: sbcl --script sbcl.lisp URL
;;; SPDX-License-Identifier: MIT
(load-shared-object "libcurl.so.4")

(defvar *body* (make-alien-string "{\"messages\":[{\"role\":\"user\",\"content\":\"From SBCL\"}]}"))
(defvar *url* (make-alien-string (second *posix-argv*)))

(defun setopt (handle option value)
  (alien-funcall (extern-alien "curl_easy_setopt" (function int (* t) int (* t))) handle option value))

(let ((handle (alien-funcall (extern-alien "curl_easy_init" (function (* t))))))
  (setopt handle 10002 *url*)
  (setopt handle 10015 *body*)
  (let ((result (alien-funcall (extern-alien "curl_easy_perform" (function int (* t))) handle)))
    (alien-funcall (extern-alien "fflush" (function int (* t))) (sb-alien:sap-alien (sb-sys:int-sap 0) (* t)))
    (format t "~%~a~%" result)))
