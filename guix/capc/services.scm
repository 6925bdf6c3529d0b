;;; capc for Guix System: a service type for the Shepherd's services that capc seals.
;;;
;;; `guix system` checks the configuration in a derivation of its own, so that one with errors is never activated, and learns from the
;;; lock file which services there are. What they are given stands in a sealed generation, which capc makes and signs on the machine.

(define-module (capc services)
  #:use-module (gnu services)
  #:use-module (gnu services shepherd)
  #:use-module (guix gexp)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:export (capc-configuration
            capc-configuration?
            capc-service-type
            capc-checked
            capc-shepherd-services
            read-capc-lock))

(define-record-type <capc-configuration>
  (make-capc-configuration program directory file lock store)
  capc-configuration?
  (program capc-program)                ;file-like: capc itself
  (directory capc-directory)            ;file-like: the directory of the configuration
  (file capc-file)                      ;string: the system file in it
  (lock capc-lock)                      ;string: the lock file, read when the system is evaluated
  (store capc-store))                   ;string: where generations are

(define* (capc-configuration #:key program directory (file "system.kdl") lock (store "/var/lib/capc"))
  "Return the configuration of @code{capc-service-type}.  @var{directory} goes into Guix's store, which everybody can read: secrets are
named in it by their paths on the machine, and lie elsewhere."
  (make-capc-configuration program directory file lock store))

(define (field entry name)
  (match (assq name entry)
    ((_ values ...) values)
    (_ (error "capc: the lock file does not say" name))))

(define (read-capc-lock file)
  "Return the services of the lock file FILE, as (NAME PROVISION REQUIREMENT AGAIN?) each.  It is read and never evaluated."
  (match (call-with-input-file file read)
    (('capc-lock ('version 1) fields ...)
     (map (lambda (service)
            (match (list (field service 'name) (field service 'provision) (field service 'requirement) (field service 'respawn))
              ((((? string? name)) ((? symbol? provision)) ((? symbol? requirement) ...) (respawn))
               (list name provision requirement (eq? respawn 'again)))
              (_ (error "capc: the lock file is not one of this version" file))))
          (field fields 'services)))
    (_ (error "capc: the lock file is not one of this version" file))))

(define (capc-checked config)
  "Return a file that exists if capc finds no error in the configuration; otherwise it cannot be built, and what capc says is in the
build's log."
  (computed-file "capc-checked"
                 #~(begin
                     (unless (zero? (system* #$(capc-program config) "check" "--format" "plain"
                                             (string-append #$(capc-directory config) "/" #$(capc-file config))))
                       (error "capc finds errors in the configuration"))
                     (call-with-output-file #$output
                       (lambda (port) (display "checked\n" port))))))

(define (loaded config)
  "Return the service that loads what is current.  It goes on where nothing was sealed yet."
  (shepherd-service
   (provision '(capc-sealed:loaded))
   (requirement '(user-processes))
   (documentation "Load the services that capc sealed.")
   (start #~(lambda _
              (let ((file #$(string-append (capc-store config) "/current/init/shepherd.scm")))
                (when (file-exists? file)
                  (save-module-excursion (lambda () (primitive-load file)))
                  (start-in-the-background '(capc)))
                #t)))
   (stop #~(lambda _ #f))))

(define (stand-in service)
  "Return what stands for a service, so that Guix knows it and unloads it never; what it does is what is sealed."
  (match service
    ((name provision requirement again?)
     (shepherd-service
      (provision (list provision))
      (requirement (cons 'capc-sealed:loaded requirement))
      ;; By these words capc knows it.
      (documentation (string-append "`" name "`, as sealed by capc."))
      (auto-start? #f)
      (respawn? again?)
      (start #~(lambda _ ((module-ref (resolve-module '(capc shepherd)) 'start-sealed!) #$name)))
      (stop #~(lambda (value . _) ((module-ref (resolve-module '(capc shepherd)) 'stop-sealed!) #$name value)))))))

(define (capc-shepherd-services config)
  "Return the services of the Shepherd: one that loads, one for the group, and one for each of the lock file."
  (cons* (loaded config)
         (shepherd-service
          (provision '(capc))
          (requirement '(capc-sealed:loaded))
          (documentation "All services, as sealed by capc.")
          (auto-start? #f)
          (start #~(lambda _ ((module-ref (resolve-module '(capc shepherd)) 'start-group!))))
          (stop #~(lambda _ ((module-ref (resolve-module '(capc shepherd)) 'stop-all!)) #f))
          (actions
           (list (shepherd-action
                  (name 'apply)
                  (documentation "Make what runs what is sealed: stop, restart and start what differs.")
                  (procedure #~(lambda _ ((module-ref (resolve-module '(capc shepherd)) 'apply!))))))))
         (map stand-in (read-capc-lock (capc-lock config)))))

(define (capc-activation config)
  "Return what is done when the system is activated: nothing but to need that the configuration was checked."
  #~(begin #$(capc-checked config) #t))

(define capc-service-type
  (service-type
   (name 'capc)
   (extensions
    (list (service-extension shepherd-root-service-type capc-shepherd-services)
          (service-extension activation-service-type capc-activation)))
   (description "Services with the least authority that capc gives them.")))
