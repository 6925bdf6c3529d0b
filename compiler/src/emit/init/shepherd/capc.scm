;; What the Shepherd does with a sealed plan, which stands at the end. Made and sealed by capc: edit the configuration instead.
;;
;; Nothing here gives authority. A service is started by the launcher, which verifies its sealed manifest and gives what that says;
;; this file says when, and hands over the sockets and channels that the plan names.

(define-module (capc shepherd)
  #:use-module (shepherd service)
  #:use-module (ice-9 match)
  #:use-module (ice-9 textual-ports)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-1)
  #:export (load-plan! apply! on-the-way start-sealed! stop-sealed! start-group! stop-all! leave!))


;; Lets the Shepherd go on meanwhile, and takes parts of seconds; that of Guile's core does in the Shepherd 1.0 alone.
(define sleep (module-ref (resolve-interface '(fibers)) 'sleep))
(define spawn-fiber (module-ref (resolve-interface '(fibers)) 'spawn-fiber))


;;; What outlives a reload of this file. All tables are by the names of services, unless something else is said.

;; The store that this Shepherd serves.
(define-once %store #f)
;; What the plan that was loaded last says of all services, and of each.
(define-once %site '())
(define-once %entries (make-hash-table))
;; Every service of the Shepherd that was registered here, and the latest for each name with what it was made from.
(define-once %ours '())
(define-once %latest (make-hash-table))
;; What runs: what was sealed of it when it was started, its process, and since when. A oneshot that is done, or rests until its time,
;; has no process.
(define-once %running (make-hash-table))
;; Those that are being ended, which do not come back by themselves.
(define-once %ending (make-hash-table))
;; The times of the last failures, the pause after the next, why it is not up, and whether it was ever started.
(define-once %failures (make-hash-table))
(define-once %pauses (make-hash-table))
(define-once %why (make-hash-table))
(define-once %begun (make-hash-table))
;; Listening sockets by their addresses, and ends of channels by service and name. At `unix-data` listens who may take no descriptors:
;; when he may, it is another socket, at which none wait.
(define-once %listeners (make-hash-table))
(define-once %channels (make-hash-table))
;; Whether a new generation is being applied, so far that what is revoked ends; and whether the group is to start nothing.
(define-once %applying? #f)
(define-once %all-started? #f)

(define (fields of name)
  (cdr (or (assq name of) (error "capc: the plan does not say" name))))

(define (field of name) (car (fields of name)))

(define (site name) (field %site name))

(define (entry-of name)
  (or (hash-ref %entries name)
      (error (string-append "capc: `" name "` is not sealed any more"))))

(define (keys table) (hash-map->list (lambda (key _) key) table))

(define (symbol-of name) (string->symbol (string-append "capc-" name)))

(define (log-of name)
  (string-append (site 'logs) "/"
                 (string-map (lambda (letter) (if (char=? letter #\/) #\. letter)) name)
                 ".log"))

;; By a procedure that can suspend, as the next.
(define (say . words)
  (put-string (current-output-port) (string-append "capc: " (string-concatenate words) "\n")))

;; Asking the Shepherd of a service suspends the fiber. Within a procedure of Guile that is written in C, such as `filter` is in many
;; versions, it cannot be taken up again, and the Shepherd would wait for its answer for ever.
(define (select wanted? list)
  (let loop ((list list) (found '()))
    (cond ((null? list) (reverse found))
          ((wanted? (car list)) (loop (cdr list) (cons (car list) found)))
          (else (loop (cdr list) found)))))

(define (sentence key arguments)
  (string-trim-both
   (call-with-output-string (lambda (port) (print-exception port #f key arguments)))))


;;; Descriptors. Each is close-on-exec, and above all numbers that a service is handed: the Shepherd puts the ports that it passes on
;;; at 3, 4, … one after the other, and one that lay there already would be lost.

(define %above 512)

(define (put-above port mode)
  (let ((number (fcntl port F_DUPFD %above)))
    (fcntl number F_SETFD FD_CLOEXEC)
    (close-port port)
    (fdopen number mode)))

(define (nowhere? path)
  (not (false-if-exception (lstat path))))

(define (is-socket? path)
  (eq? 'socket (false-if-exception (stat:type (lstat path)))))

;; Calls USE with an address of PATH; one too long for an address is reached through its directory.
(define (with-address path use)
  (if (< (string-length path) 108)
      (use (make-socket-address AF_UNIX path))
      (let* ((directory (open (dirname path) (logior O_RDONLY O_CLOEXEC)))
             (short (string-append "/proc/self/fd/" (number->string (fileno directory)) "/" (basename path))))
        (catch #t
          (lambda ()
            (use (make-socket-address AF_UNIX short))
            (close-port directory))
          (lambda arguments
            (close-port directory)
            (apply throw arguments))))))

;; Whether a socket of this kind answers at PATH; of another kind than STYLE, or dead, it does not.
(define (answers? path style)
  (let ((probe (socket AF_UNIX (logior style SOCK_CLOEXEC SOCK_NONBLOCK) 0)))
    (let ((number (catch 'system-error
                    (lambda () (with-address path (lambda (address) (connect probe address))) 0)
                    (lambda arguments (system-error-errno arguments)))))
      (close-port probe)
      (not (memv number (list ECONNREFUSED EPROTOTYPE ENOENT))))))

(define (listen-unix path owner)
  (when (and (is-socket? path)
             (not (answers? path SOCK_STREAM))
             (not (answers? path SOCK_DGRAM)))
    (delete-file path))
  (let ((port (socket AF_UNIX (logior SOCK_STREAM SOCK_CLOEXEC) 0)))
    ;; Its mode is the socket's before it has a name (unix(7)).
    (chmod port #o666)
    (let ((mask (umask 0)))
      (catch #t
        (lambda ()
          (with-address path (lambda (address) (bind port address)))
          (umask mask))
        (lambda arguments
          (umask mask)
          (close-port port)
          (apply throw arguments))))
    (match owner
      ((uid gid)
       ;; By a descriptor of the socket itself (O_PATH, O_NOFOLLOW), so that nobody puts another file in its place.
       (let ((file (open path (logior #o10000000 #o400000 O_CLOEXEC))))
         (chown (string-append "/proc/self/fd/" (number->string (fileno file))) uid gid)
         (close-port file)))
      (() #t))
    (listen port 4096)
    port))

(define (listen-inet family style address port-number flow scope)
  (let ((port (socket family (logior style SOCK_CLOEXEC) 0)))
    (catch #t
      (lambda ()
        ;; Not for datagrams, where it would let others take them.
        (when (= style SOCK_STREAM)
          (setsockopt port SOL_SOCKET SO_REUSEADDR 1))
        (if (= family AF_INET6)
            (begin
              ;; IPPROTO_IPV6, IPV6_V6ONLY
              (setsockopt port 41 26 1)
              (bind port AF_INET6 (inet-pton AF_INET6 address) port-number flow scope))
            (bind port AF_INET (inet-pton AF_INET address) port-number))
        (when (= style SOCK_STREAM)
          (listen port 4096))
        port)
      (lambda arguments
        (close-port port)
        (apply throw arguments)))))

;; A service may have shut it down, or unlinked it.
(define (sound? address port)
  (define (listens?) (not (zero? (getsockopt port SOL_SOCKET 30))))
  (match address
    (((or 'unix 'unix-data) path . _) (and (listens?) (is-socket? path)))
    (('tcp . _) (listens?))
    (('udp . _) #t)))

(define (listener address)
  (let ((known (hash-ref %listeners address)))
    (if (and known (sound? address known))
        known
        (begin
          ;; The spoiled one first: it may still have the address.
          (when known (forget-listener! address))
          (let* ((made (match address
                         (((or 'unix 'unix-data) path . owner) (listen-unix path owner))
                         (('tcp 4 host port) (listen-inet AF_INET SOCK_STREAM host port 0 0))
                         (('tcp 6 host port flow scope) (listen-inet AF_INET6 SOCK_STREAM host port flow scope))
                         (('udp 4 host port) (listen-inet AF_INET SOCK_DGRAM host port 0 0))
                         (('udp 6 host port flow scope) (listen-inet AF_INET6 SOCK_DGRAM host port flow scope))))
                 (port (put-above made "r+0")))
            (hash-set! %listeners address port)
            port)))))

(define (forget-listener! address)
  (let ((port (hash-ref %listeners address)))
    (hash-remove! %listeners address)
    (when port (close-port port))
    (match address
      (((or 'unix 'unix-data) path . _) (when (is-socket? path) (false-if-exception (delete-file path))))
      (_ #t))))

;; The ends of a pair are one value under two keys, so that one is never there without the other.
(define (channel-ends channel)
  (match channel
    ((maker maker-name holder holder-name)
     (list (cons maker maker-name) (cons holder holder-name)))))

(define (channel-end name own)
  (let ((key (cons name own)))
    (unless (hash-ref %channels key)
      (let ((channel (find (lambda (channel) (member key (channel-ends channel))) (fields %site 'channels))))
        (unless channel
          (error (string-append "capc: the plan has no channel `" own "` of `" name "`")))
        (match (cons (channel-ends channel) (socketpair AF_UNIX (logior SOCK_SEQPACKET SOCK_CLOEXEC) 0))
          (((maker holder) . (one . other))
           (let ((one (put-above one "r+0")) (other (put-above other "r+0")))
             (hash-set! %channels maker (cons one channel))
             (hash-set! %channels holder (cons other channel)))))))
    (car (hash-ref %channels key))))

;; Discards what is queued for whoever had this end before; descriptors in it are closed by the kernel.
(define (drain! port)
  (let ((room (make-bytevector 1)))
    (let loop ((left 65536))
      (when (and (positive? left)
                 (catch 'system-error
                   (lambda () (recv! port room MSG_DONTWAIT) #t)
                   (lambda arguments (= EINTR (system-error-errno arguments)))))
        (loop (- left 1))))))

(define (descriptors-of name entry)
  (map (lambda (descriptor)
         (let ((port (match descriptor
                       (('channel own)
                        (let ((end (channel-end name own)))
                          (when (hash-ref %begun name) (drain! end))
                          end))
                       (address (listener address)))))
           ;; What its last user may have set on it for good.
           (fcntl port F_SETFL (logand (fcntl port F_GETFL) (lognot O_NONBLOCK)))
           port))
       (fields entry 'descriptors)))

(define (close-what-is-not-granted!)
  (let* ((entries (map cdr (hash-map->list cons %entries)))
         (granted (append-map (lambda (entry) (fields entry 'descriptors)) entries))
         (channels (fields %site 'channels)))
    (for-each (lambda (address)
                (unless (member address granted) (forget-listener! address)))
              (keys %listeners))
    (for-each (lambda (key)
                (match (hash-ref %channels key)
                  ((port . channel)
                   (unless (member channel channels)
                     (hash-remove! %channels key)
                     (close-port port)))))
              (keys %channels))))


;;; One start. `capc attend` stays as the parent of the service, passes signals on, ends as it does, and says through a pipe `1` when
;;; the service is ready and `e` with its status when it has ended.

(define (spawn! name entry)
  (let* ((ports (descriptors-of name entry))
         (ends (pipe))
         (reading (put-above (car ends) "r0"))
         (writing (put-above (cdr ends) "w0"))
         (saying (number->string (+ 3 (length ports)))))
    (hash-set! %begun name #t)
    (unless (file-exists? (site 'logs))
      (mkdir (site 'logs) #o700))
    (let ((pid (catch #t
                 (lambda ()
                   (fork+exec-command
                    `(,(site 'capc) "attend" "--wait" "--say-ready" ,saying "--say-end" ,saying
                      ,@(append-map (lambda _ '("--pass" "init")) ports)
                      ,@(fields entry 'words)
                      "--" ,(site 'launcher) ,(site 'generation) ,name)
                    #:extra-ports (append ports (list writing))
                    #:directory "/"
                    #:environment-variables '()
                    #:log-file (log-of name)))
                 (lambda arguments
                   (close-port reading)
                   (close-port writing)
                   (apply throw arguments)))))
      (close-port writing)
      (fcntl reading F_SETFL (logior O_NONBLOCK (fcntl reading F_GETFL)))
      (cons pid reading))))

;; Reads on until the service is ready or has ended: `ready`, its status, or `gone`. The Shepherd goes on meanwhile, since reading from
;; a port that does not block suspends the fiber.
(define (next-word port)
  (match (read-char port)
    (#\1 'ready)
    (#\e (let loop ((digits '()))
           (match (read-char port)
             ((? eof-object?) 'gone)
             (#\newline (or (string->number (reverse-list->string digits)) 'gone))
             (digit (loop (cons digit digits))))))
    (_ 'gone)))

(define (told status)
  (match status
    ('gone "was gone before it was ready")
    ('unborn "could not be started")
    (77 "was refused by its launcher")
    (number (string-append "ended with status " (number->string number)))))

(define (runs-once? entry) (memq (field entry 'kind) '(oneshot timer)))

;; Starts it once. Returns `up`, `done` for a oneshot that has ended well, or how it failed.
(define (attempt! name)
  (catch #t
    (lambda ()
      (let ((entry (entry-of name)))
        (match (spawn! name entry)
          ((pid . port)
           (hash-set! %running name (list entry pid (current-time)))
           (let* ((first (next-word port))
                  (last (if (and (runs-once? entry) (eq? first 'ready)) (next-word port) first)))
             (close-port port)
             (cond ((eq? last 'ready)
                    (hash-set! %running name (list entry pid (current-time)))
                    (hash-remove! %why name)
                    'up)
                   ((and (runs-once? entry) (eqv? last 0))
                    (hash-set! %running name (list entry #f (current-time)))
                    (hash-remove! %why name)
                    'done)
                   ;; As what it was: meanwhile another generation is current, and starts it as what it is.
                   ((and (eqv? last 77) (not (eq? entry (hash-ref %entries name))))
                    (hash-remove! %running name)
                    last)
                   (else
                    (hash-remove! %running name)
                    (hash-set! %why name (told last))
                    (say "`" name "` " (told last))
                    last)))))))
    (lambda (key . arguments)
      (hash-remove! %running name)
      (hash-set! %why name (sentence key arguments))
      (say "`" name "` cannot be started: " (sentence key arguments))
      'unborn)))


;;; Starting again. As with `capc up`: after 100 ms, then 200 ms, and so on up to 30 s; after ten seconds of health the pause is the
;;; shortest again, and after five failures within a minute it is given up.

(define (comes-again? entry status)
  (and (not (memv status '(77 unborn)))
       (match (field entry 'restart)
         ('never #f)
         ('on-failure (not (eqv? status 0)))
         ;; A oneshot that ended well is done nevertheless.
         ('always #t))))

;; Returns how long to wait before the next start, or #f.
(define (pause-after! name health)
  (let* ((now (current-time))
         (recent (filter (lambda (time) (> time (- now 60))) (hash-ref %failures name '())))
         (pause (if (>= health 10) 0.1 (hash-ref %pauses name 0.1))))
    (hash-set! %failures name (cons now recent))
    (hash-set! %pauses name (min 30 (* 2 pause)))
    (if (>= (length recent) 4)
        (begin
          (hash-remove! %failures name)
          (hash-remove! %pauses name)
          (hash-set! %why name "failed five times within a minute and was given up")
          (say "`" name "` failed five times within a minute and is given up")
          #f)
        pause)))

(define (is-ending? name)
  (or (hash-ref %ending name)
      (not (hash-ref %entries name))
      (not (memq (service-status root-service) '(running starting)))))

;; Returns the running value, or #f.
(define (start! name)
  (let loop ((left 4))
    (match (attempt! name)
      ('up (match (hash-ref %running name) ((_ pid _) pid) (_ #f)))
      ('done #t)
      (status
       (let ((pause (and (positive? left)
                         (not (is-ending? name))
                         (comes-again? (entry-of name) (if (eqv? status 0) 'early status))
                         (pause-after! name 0))))
         (and pause
              (begin
                (sleep pause)
                (and (not (is-ending? name))
                     (loop (- left 1))))))))))

;; What the Shepherd calls when the process of a service that was up has ended.
(define (ended! name object status)
  (let ((code (or (status:exit-val status) (+ 128 (or (status:term-sig status) 0))))
        (since (match (hash-ref %running name) ((_ _ since) since) (_ (current-time)))))
    (hash-remove! %running name)
    (unless (hash-ref %ending name)
      (say "`" name "` " (told code))
      (unless (zero? code) (hash-set! %why name (told code)))
      (register-latest! name)
      (when (and (not (is-ending? name)) (comes-again? (entry-of name) code))
        (let ((pause (pause-after! name (- (current-time) since))))
          (when pause
            (sleep pause)
            (unless (is-ending? name)
              (start-service (lookup-service (symbol-of name))))))))))

;; Asks the process to end as was sealed when it was started, and kills it when its time is over.
(define (stop! name)
  (match (hash-ref %running name)
    ((entry (? integer? pid) _)
     (match (fields entry 'stop)
       ((signal within) ((make-kill-destructor signal #:grace-period (/ within 1000)) pid))))
    (_ #f))
  (hash-remove! %running name)
  #f)

(define (reload! name)
  (match (hash-ref %running name)
    ((entry (? integer? pid) _) (kill pid (field entry 'reload)) #t)
    (_ #f)))

;; Ends a process without the Shepherd's being asked to stop its service, so that those that require it go on.
(define (end! name)
  (hash-set! %ending name #t)
  (let ((object (lookup-service (symbol-of name))))
    (stop! name)
    (let loop ((left 1000))
      (when (and object (positive? left) (eq? 'running (service-status object)))
        (sleep 0.01)
        (loop (- left 1)))))
  (hash-remove! %ending name)
  (register-latest! name))


;;; What runs by the calendar, for which the Shepherd has timers since 1.0.

(define (timers)
  (or (false-if-exception (resolve-interface '(shepherd service timer)))
      (error "capc: this Shepherd has no timers, which `schedule` needs: they came with 1.0")))

(define (start-timer! name)
  (let ((entry (entry-of name)))
    (hash-remove! %why name)
    (hash-set! %running name (list entry #f (current-time)))
    (((module-ref (timers) 'make-timer-constructor)
      (apply (module-ref (timers) 'calendar-event) (fields entry 'calendar))
      (lambda () (start! name) (rest! name))
      #:wait-for-termination? #t))))

;; It rests, whatever came of its run.
(define (rest! name)
  (let ((entry (hash-ref %entries name)))
    (when (and entry (not (hash-ref %ending name)))
      (hash-set! %running name (list entry #f (current-time))))))

(define (stop-timer! name timer)
  (hash-set! %ending name #t)
  (stop! name)
  (((module-ref (timers) 'make-timer-destructor)) timer)
  (hash-remove! %ending name)
  #f)


;;; The services of the Shepherd.

;; What a service of the Shepherd is made from; as long as it is the same, a new generation needs no other.
(define (shape-of entry)
  (list (field entry 'kind) (field entry 'restart) (fields entry 'needs) (and (field entry 'reload) #t)))

(define (make-service name shape)
  (match shape
    ((kind restart needs reloads?)
     (service (list (symbol-of name))
              #:documentation (string-append "`" name "`, as sealed by capc.")
              #:requirement (map symbol-of needs)
              #:respawn? (and (eq? kind 'process) (not (eq? restart 'never)))
              #:respawn-limit '(5 . 60)
              #:start (lambda _ (start-sealed! name))
              #:stop (lambda (value . _) (stop-sealed! name value))
              #:termination-handler (lambda (object _ status) (ended! name object status))
              #:actions (cond ((eq? kind 'timer) (list (module-ref (timers) 'timer-trigger-action)))
                              (reloads? (actions (reload "Make it read its configuration again."
                                                         (lambda _ (reload! name)))))
                              (else '()))))))

(define (start-group!)
  (unless %all-started? (start-all!))
  #t)

(define (make-group)
  (service '(capc)
           #:documentation "All services, as sealed by capc."
           #:start (lambda _ (start-group!))
           #:stop (lambda _ (stop-all!) #f)
           #:actions (actions (apply "Make what runs what is sealed: stop, restart and start what differs."
                                     (lambda _ (apply!))))))

;; Guix registers services that stand for those of the lock file and call `start-sealed!` and `stop-sealed!`: they are as good as ours.
(define (stand-in? object)
  (string-suffix? ", as sealed by capc." (service-documentation object)))

(define (ours? object) (or (memq object %ours) (stand-in? object)))

(define (add-service! key symbol shape make)
  (let ((known (lookup-service symbol)))
    (match (hash-ref %latest key)
      ;; One that somebody unloaded is registered again.
      ((_ . (? (lambda (latest) (and known (equal? latest shape))))) #t)
      (_ (let* ((stand-in? (and known (not (memq known %ours))))
                (object (if stand-in? known (make))))
           (set! %ours (cons object %ours))
           (hash-set! %latest key (cons object shape))
           (unless stand-in?
             (register-services (list object))))))))

(define (start-sealed! name)
  (if (eq? 'timer (field (entry-of name) 'kind)) (start-timer! name) (start! name)))

(define (stop-sealed! name value)
  (if (timer-runs? name) (stop-timer! name value) (stop! name)))

;; One that was running when another took its place is replaced once it runs no more.
(define (register-latest! name)
  (match (hash-ref %latest name)
    ((object . _)
     (let ((now (lookup-service (symbol-of name))))
       (when (and now (not (eq? now object)) (eq? 'stopped (service-status now)))
         (register-services (list object)))))
    (_ #t)))

;; Waits for services that are on their way, up or down.
(define (settle! objects)
  (for-each (lambda (object)
              (let loop ()
                (when (memq (service-status object) '(starting stopping))
                  (sleep 0.02)
                  (loop))))
            objects))

;; Ends what is on its way up as something else than what is sealed now; what is on its way as it should be, however long that takes,
;; is waited for by nobody whose grants are revoked.
(define (end-what-begins-differently!)
  (define (differs? name)
    (let ((object (lookup-service (symbol-of name))) (entry (hash-ref %entries name)))
      (and object
           (eq? 'starting (service-status object))
           (has-process? name)
           (not (and entry (equal? (seal-of-running name) (field entry 'seal)))))))
  (let ((names (select differs? (known-names))))
    (for-each (lambda (name) (hash-set! %ending name #t)) names)
    (at-once! stop! names)
    (settle! (objects-of names))
    (for-each (lambda (name) (hash-remove! %ending name)) names))
  (settle! (select (lambda (object) (eq? 'stopping (service-status object))) (objects-of (known-names)))))

;; Ends services, each after those of them that require it, and no other after that: whose grants are revoked has them no longer than
;; it takes itself.
(define (at-once! end-one! names)
  (let ((left (make-hash-table)) (failure #f))
    (define (needed? name)
      (any (lambda (other)
             (match (hash-ref %running other)
               ((entry . _) (member name (fields entry 'needs)))
               (_ #f)))
           (delete name (keys left))))
    (for-each (lambda (name) (hash-set! left name #t)) names)
    (for-each (lambda (name)
                (spawn-fiber
                 (lambda ()
                   (let loop ()
                     (when (needed? name)
                       (sleep 0.01)
                       (loop)))
                   (catch #t
                     (lambda () (end-one! name))
                     (lambda arguments (set! failure arguments)))
                   (hash-remove! left name))))
              names)
    (let loop ()
      (unless (null? (keys left))
        (sleep 0.01)
        (loop)))
    (when failure (apply throw failure))))

;; One whose capc was killed goes on here.
(define (wait-for-another!)
  (when %applying?
    (sleep 0.05)
    (wait-for-another!)))

(define (known-names) (filter string? (keys %latest)))

(define (objects-of names)
  (let loop ((names names) (objects '()))
    (if (null? names)
        (reverse objects)
        (let ((object (lookup-service (symbol-of (car names)))))
          (loop (cdr names) (if object (cons object objects) objects))))))

(define (rank-of name)
  (match (hash-ref %running name)
    ((entry . _) (field entry 'rank))
    (_ (let ((entry (hash-ref %entries name))) (if entry (field entry 'rank) 0)))))

(define (in-order names) (sort names (lambda (one other) (< (rank-of one) (rank-of other)))))

;; Takes in a plan. Nothing is started, nothing that is up is stopped, and where something is wrong, nothing is changed.
(define (load-plan! plan)
  (let ((site (fields (cdr plan) 'site)) (entries (fields (cdr plan) 'services)))
    (when (and %store (not (equal? %store (field site 'store))))
      (error (string-append "this Shepherd has the services of `" %store "` already, and those of `"
                            (field site 'store) "` would have the same names; nothing was loaded")))
    (when (any (lambda (entry) (eq? 'timer (field entry 'kind))) entries)
      (timers))
    (for-each (lambda (symbol)
                (let ((known (lookup-service symbol)))
                  (when (and known (not (ours? known)))
                    (error (string-append "the Shepherd has a service `" (symbol->string symbol)
                                          "` that is not capc's; nothing was loaded")))))
              (cons 'capc (map (lambda (entry) (symbol-of (field entry 'name))) entries)))
    (wait-for-another!)
    (set! %store (field site 'store))
    (set! %site site)
    (hash-clear! %entries)
    (for-each (lambda (entry) (hash-set! %entries (field entry 'name) entry)) entries)
    (end-what-begins-differently!)
    (for-each (lambda (entry)
                (let ((name (field entry 'name)) (shape (shape-of entry)))
                  (add-service! name (symbol-of name) shape (lambda () (make-service name shape)))))
              entries)
    (add-service! 'capc 'capc 'group make-group)
    #t))

;; Facets are memory directories, which core Guile cannot mount.
(define (mount-facets!)
  (unless (zero? (system* (site 'capc) "facets" (site 'generation)))
    (error "capc: the directories of facets cannot be mounted; what `capc facets` said stands in the Shepherd's log")))

;; Starts what does not run, each after what it requires, and returns when all have settled.
(define (start-all!)
  (mount-facets!)
  (let ((names (in-order (keys %entries))) (failed (make-hash-table)))
    (for-each (lambda (name) (hash-remove! %why name)) names)
    (for-each rerun! (select stale-done? names))
    (start-in-the-background (map symbol-of names))
    (for-each
     (lambda (name)
       (let* ((object (lookup-service (symbol-of name)))
              (entry (hash-ref %entries name))
              ;; Another generation may have come meanwhile.
              (missing (and entry (find (lambda (need) (hash-ref failed need)) (fields entry 'needs)))))
         (when (and object entry)
           (settle! (list object)))
         (cond ((not (hash-ref %entries name)) #t)
               (missing
                (hash-set! failed name #t)
                (hash-set! %why name (string-append "waits for `" missing "`, which is not up")))
               ((not object) #t)
               ((hash-ref %why name)
                (hash-set! failed name #t))
               ((not (service-enabled? object))
                (hash-set! failed name #t)
                (hash-set! %why name "is disabled: `herd enable` makes it start again"))
               ((eq? 'running (service-status object)) #t)
               ((start-service object) #t)
               (else (hash-set! failed name #t)))))
     names)))

(define (stop-all!)
  (for-each (lambda (name)
              (let ((object (lookup-service (symbol-of name))))
                (when object (stop-service object))))
            (reverse (in-order (known-names)))))

(define (seal-of-running name)
  (match (hash-ref %running name)
    ((entry . _) (field entry 'seal))
    (_ #f)))

;; Whether something else runs than what is sealed now.
(define (stale? name)
  (let ((entry (hash-ref %entries name)) (running (hash-ref %running name)))
    (and entry running (not (equal? (seal-of-running name) (field entry 'seal))))))

;; Whether a oneshot was done as something else than what is sealed now. It is the Shepherd's as long as it counts as done.
(define (stale-done? name)
  (let ((entry (hash-ref %entries name)) (object (lookup-service (symbol-of name))))
    (and entry object
         (eq? 'oneshot (field entry 'kind))
         (eq? 'running (service-status object))
         (not (equal? (seal-of-running name) (field entry 'seal))))))

(define (rerun! name)
  (for-each start-service (objects-of (fields (entry-of name) 'needs)))
  (start! name))

(define (has-process? name)
  (match (hash-ref %running name) ((_ (? integer?) _) #t) (_ #f)))

;; Makes what runs what is sealed, and returns what was done: (stopped NAME), (started NAME), (restarted NAME), (failed NAME WHY LOG).
;;
;; What is to be done follows from what runs and what is sealed, so one that was cut short is made good by the next. What is revoked
;; ends first, with its sockets and channels; then what is missing starts.
(define (apply!)
  (wait-for-another!)
  (set! %applying? #t)
  (catch #t
    (lambda ()
      (end-what-begins-differently!)
      ;; What was said under the generation before is not for who starts under this one, though he had not begun yet: by then
      ;; descriptors may cross, and before not.
      (for-each (lambda (key) (hash-set! %begun (car key) #t)) (keys %channels))
      ;; A run whose time came after the switch, and before this, was refused: that is not what comes of this.
      (for-each (lambda (name) (when (timer-runs? name) (hash-remove! %why name))) (keys %running))
      (let* ((ran (keys %running))
             (gone (remove (lambda (name) (hash-ref %entries name)) (known-names)))
             (stale (select (lambda (name) (or (stale? name) (stale-done? name))) (known-names)))
             (stopped (filter (lambda (name) (member name ran)) gone)))
        (at-once! (lambda (name)
                    (cond ((timer-runs? name)
                           (stop-service (lookup-service (symbol-of name)))
                           (register-latest! name))
                          ((has-process? name) (end! name))))
                  (reverse (in-order (append gone stale))))
        (for-each (lambda (name)
                    (let ((object (lookup-service (symbol-of name))))
                      (hash-remove! %latest name)
                      (hash-remove! %begun name)
                      (when object
                        (stop-service object)
                        (unregister-services (list object)))))
                  (reverse (in-order gone)))
        (close-what-is-not-granted!)
        ;; What starts may take as long as it takes; the next generation need not wait for that.
        (set! %applying? #f)
        (start-all!)
        (let ((group (lookup-service 'capc)))
          (unless (eq? 'running (service-status group))
            (set! %all-started? #t)
            (start-service group)
            (set! %all-started? #f)))
        ;; Long enough for a program that fails at once.
        (sleep 0.3)
        (append
         (map (lambda (name) (list 'stopped name)) stopped)
         (filter-map (lambda (name)
                       (let ((why (hash-ref %why name)))
                         (cond (why (list 'failed name why (log-of name)))
                               ((member name stale) (list 'restarted name))
                               ((and (hash-ref %running name) (not (member name ran))) (list 'started name))
                               (else #f))))
                     (in-order (keys %entries))))))
    (lambda arguments
      (set! %applying? #f)
      (set! %all-started? #f)
      (apply throw arguments))))

;; What has begun and is not up yet, or not done: its name, its process, since when, and where it logs.
(define (on-the-way)
  (let loop ((names (reverse (in-order (keys %running)))) (found '()))
    (if (null? names)
        found
        (let ((object (lookup-service (symbol-of (car names)))))
          (loop (cdr names)
                (match (hash-ref %running (car names))
                  ((_ (? integer? pid) since)
                   (if (and object (eq? 'starting (service-status object)))
                       (cons (list (car names) pid (strftime "%Y-%m-%d %H:%M:%S" (localtime since)) (log-of (car names)))
                             found)
                       found))
                  (_ found)))))))

;; Whether what runs of it was started as a timer.
(define (timer-runs? name)
  (match (hash-ref %running name)
    ((entry . _) (eq? 'timer (field entry 'kind)))
    (_ #f)))

;; Stops and forgets everything: another init has the services from now on.
(define (leave!)
  (wait-for-another!)
  (stop-all!)
  (let ((group (lookup-service 'capc)))
    (when group (stop-service group))
    (unregister-services (append (objects-of (known-names)) (if group (list group) '()))))
  (hash-clear! %entries)
  (hash-clear! %latest)
  (set! %site '((channels)))
  (close-what-is-not-granted!)
  (set! %store #f)
  #t)
