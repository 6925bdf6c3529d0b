(use-modules (gnu))
(use-service-modules shepherd)

(operating-system
  (host-name "shop")
  (services
   (cons* (simple-service 'vault shepherd-root-service-type
            (list (shepherd-service
                    (documentation "Opens the vault.")
                    (provision '(vault))
                    (requirement '(user-processes teller))
                    (start #~(make-forkexec-constructor (list #$(file-append vault "/bin/vault"))))
                    (stop #~(make-kill-destructor)))))
          (simple-service 'teller shepherd-root-service-type
            (list (shepherd-service
                    (provision '(teller))
                    (requirement '(vault))
                    (start #~(make-forkexec-constructor '("/bin/teller")))
                    (stop #~(make-kill-destructor)))))
          (service openssh-service-type
            (openssh-configuration (port-number 2222)))
          %base-services)))
