;; A machine as people write it for GNU Shepherd: the database waits for the logger, which waits for the network, which
;; waits for the database that holds its leases.
(use-modules (shepherd service))

(define database
  (service '(database postgres)
    #:documentation "Keeps what the others know."
    #:requirement '(logger)
    #:start (make-forkexec-constructor '("/usr/bin/postgres" "-D" "/var/lib/postgres"))
    #:stop (make-kill-destructor)))

(define logger
  (service '(logger)
    #:requirement (list 'file-systems 'networking)
    #:start (make-forkexec-constructor '("/usr/bin/syslogd"))
    #:stop (make-kill-destructor)))

(define networking
  (make <service>
    #:provides '(networking)
    #:requires '(postgres)
    #:start (make-forkexec-constructor '("/usr/sbin/dhcpcd"))
    #:stop (make-kill-destructor)))

(define web
  (service '(web)
    #:requirement `(networking ,@extra)
    #:start (make-forkexec-constructor '("/usr/bin/nginx"))
    #:stop (make-kill-destructor)))

(register-services
 (list database logger networking web
       (service '(file-system) #:start (const #t))))
