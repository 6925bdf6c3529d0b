;; What a user's Shepherd does with a sealed plan, which stands at the end. Made and sealed by capc: edit the configuration instead.
;;
;; One service of the Shepherd has them all: `capc up`, which enters a user namespace and keeps them as it does everywhere. A Shepherd
;; can mount nothing there, and would see none of the processes.

(define-module (capc shepherd)
  #:use-module (shepherd service)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:export (load-plan! apply! leave!))

;; Lets the Shepherd go on meanwhile, and takes parts of seconds; that of Guile's core does in the Shepherd 1.0 alone.
(define sleep (module-ref (resolve-interface '(fibers)) 'sleep))

;; The store that this Shepherd serves, what was loaded last, what was sealed of what runs, and what was registered here.
(define-once %store #f)
(define-once %site '())
(define-once %running #f)
(define-once %ours '())
(define-once %why #f)

(define (field of name)
  (match (assq name of)
    ((_ value) value)
    (_ (error "capc: the plan does not say" name))))

(define (log-file) (string-append (field %site 'logs) "/capc.log"))

(define (start!)
  (set! %why #f)
  (unless (file-exists? (field %site 'logs))
    (mkdir (field %site 'logs) #o700))
  (set! %running (field %site 'seal))
  (fork+exec-command (list (field %site 'capc) "up" (field %site 'generation))
                     #:directory "/"
                     #:environment-variables
                     (filter (lambda (variable)
                               (any (lambda (name) (string-prefix? name variable)) '("HOME=" "XDG_RUNTIME_DIR=" "XDG_STATE_HOME=")))
                             (environ))
                     #:log-file (log-file)))

(define (ended! object status)
  (set! %running #f)
  (unless (zero? status)
    (set! %why "`capc up` ended, and did not end well"))
  (default-service-termination-handler object (service-running-value object) status))

(define (make-group)
  (service '(capc)
           #:documentation "All services that capc sealed for this user; `capc ps` shows each."
           #:start (lambda _ (start!))
           ;; It stops its services in order, each within its own time.
           #:stop (lambda (value . _)
                    ((make-kill-destructor SIGTERM #:grace-period 60) value)
                    (set! %running #f)
                    #f)
           #:actions (actions (apply "Make what runs what is sealed." (lambda _ (apply!))))))

(define (load-plan! plan)
  (let ((site (cdr (assq 'site (cdr plan)))) (known (lookup-service 'capc)))
    (when (and %store (not (equal? %store (field site 'store))))
      (error (string-append "this Shepherd has the services of `" %store "` already; nothing was loaded")))
    (when (and known (not (memq known %ours)))
      (error "the Shepherd has a service `capc` that is not capc's; nothing was loaded"))
    (set! %store (field site 'store))
    (set! %site site)
    (unless known
      (let ((object (make-group)))
        (set! %ours (cons object %ours))
        (register-services (list object))))
    #t))

;; Whatever differs, all of them start again: the supervisor runs what one generation says.
(define (apply!)
  (let* ((object (lookup-service 'capc))
         (ran? (eq? 'running (service-status object)))
         (same? (and ran? (equal? %running (field %site 'seal)))))
    (when (and ran? (not same?))
      (stop-service object))
    (unless (eq? 'running (service-status object))
      (start-service object))
    ;; Long enough for one that is refused.
    (sleep 0.5)
    (cond ((not (eq? 'running (service-status object)))
           (list (list 'failed "up" (or %why "could not be started") (log-file))))
          (same? '())
          (else (list (list (if ran? 'restarted 'started) "up"))))))

(define (leave!)
  (let ((object (lookup-service 'capc)))
    (when object
      (stop-service object)
      (unregister-services (list object))))
  (set! %store #f)
  #t)
