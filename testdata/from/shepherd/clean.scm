;; A near miss of cycle.scm: the network no longer waits for the database.
(register-services
 (list (service '(database postgres)
         #:requirement '(logger)
         #:start (make-forkexec-constructor '("/usr/bin/postgres")))
       (service '(logger)
         #:requirement (cons 'networking '())
         #:start (make-forkexec-constructor '("/usr/bin/syslogd")))
       (service '(networking)
         #:requirement '()
         #:start (make-forkexec-constructor '("/usr/sbin/dhcpcd")))))

(start-in-background '(database logger networking))
