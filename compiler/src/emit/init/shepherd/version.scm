;; Refuses a Shepherd that is too old, before anything is defined.

(let* ((version (module-ref (resolve-interface '(shepherd config)) 'Version))
       (number (lambda (word) (or (string->number (substring word 0 (or (string-skip word char-numeric?) (string-length word)))) 0)))
       (numbers (append (map number (string-split version #\.)) '(0 0 0))))
  (unless (>= (+ (* 1000000 (car numbers)) (* 1000 (cadr numbers)) (caddr numbers)) 10002)
    (error (string-append "capc needs the Shepherd 0.10.2 or later, and this is " version "; nothing was loaded"))))
