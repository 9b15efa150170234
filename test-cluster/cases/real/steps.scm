;; SPDX-License-Identifier: GPL-2.0-or-later
;; steps.scm - futures, threads, pipes, big numbers; until there is ./go
(use-modules (ice-9 threads) (ice-9 futures) (ice-9 popen) (ice-9 rdelim)
	     (ice-9 format))

(define steps 40)
(define seen (make-hash-table))
(define box '())
(define mutex (make-mutex))
(define filled (make-condition-variable))

(define (fact n) (if (< n 2) 1 (* n (fact (- n 1)))))

(define (pipe-lines n)
  (let* ((port (open-input-pipe
		(format #f "seq 1 ~a | sort -rn | head -n 1" (+ n 10))))
	 (line (read-line port)))
    (close-pipe port)
    line))

(define (give x)
  (with-mutex mutex
    (set! box (cons x box))
    (signal-condition-variable filled)))

(define (take)
  (with-mutex mutex
    (let wait ()
      (if (null? box)
	  (begin (wait-condition-variable filled mutex) (wait))
	  (let ((x (car box))) (set! box (cdr box)) x)))))

(define (step n)
  (let* ((parts (par-map (lambda (k) (modulo (fact (+ 200 n k)) 1000003))
			 '(1 2 3 4 5 6)))
	 (future (future (modulo (expt (+ n 3) 500) 999983)))
	 (thread (call-with-new-thread (lambda () (give (* n n)))))
	 (square (take)))
    (join-thread thread)
    (format #f "~a ~a ~a ~a" parts (touch future) square (pipe-lines n))))

(setvbuf (current-output-port) 'line)
(let loop ((i 0) (acc 1))
  (if (or (< i steps) (not (file-exists? "go")))
      (let* ((n (modulo i steps))
	     (result (step n))
	     (next (modulo (+ (* acc 69069) (string-length result))
			   (expt 2 61))))
	(if (< i steps)
	    (begin
	      (hashq-set! seen n result)
	      (format #t "~a: ~a: ~a~%" i result next)
	      (loop (+ i 1) next))
	    (begin
	      (if (not (string=? result (hashq-ref seen n)))
		  (format #t "wrong: ~a: ~a~%" n result))
	      (loop (+ i 1) acc))))
      (format #t "end: ~a~%" acc)))
