;; Clojure's refs: a ref for each account, in a vector.
;; clojure clojure.clj COUNTED TASK…: the protocol is that of serve.py.

(def accounts 1000)
(def deposit 1000000)
(def turn 64)  ; blocks between two looks at the clock
(def refs (vec (repeatedly accounts #(ref deposit))))
(def counter (ref 0))

(defn transfer []
  (let [random (java.util.concurrent.ThreadLocalRandom/current)
        source (.nextInt random accounts)
        target (mod (+ source 1 (.nextInt random (dec accounts))) accounts)]
    (dosync (alter (refs source) dec)
            (alter (refs target) inc))))

(defn total []
  (let [found (long (dosync (reduce (fn [^long n r] (+ n (long @r))) 0 refs)))]
    (when (not= found (* accounts deposit))
      (throw (AssertionError. (str "the accounts hold " found))))))

(def tasks
  {"increment" #(dosync (alter counter inc))
   "read_ten" #(dosync (reduce (fn [^long n i] (+ n (long @(refs i)))) 0 (range 10)))
   "transfer" transfer
   "total" total})

(defn work [step end]
  (loop [done turn]
    (dotimes [_ turn] (step))
    (if (>= (System/nanoTime) end)
      done
      (recur (+ done turn)))))

(defn cpu-seconds []
  (let [bean (java.lang.management.ManagementFactory/getOperatingSystemMXBean)]
    (/ (.getProcessCpuTime ^com.sun.management.OperatingSystemMXBean bean) 1e9)))

(let [counted (Integer/parseInt (first *command-line-args*))
      steps (mapv tasks (rest *command-line-args*))]
  (println (clojure-version))
  (doseq [line (line-seq (java.io.BufferedReader. *in*))]
    (let [cpu (cpu-seconds)
          began (System/nanoTime)
          end (+ began (long (* 1e9 (Double/parseDouble line))))
          done (mapv deref (mapv #(future (work % end)) steps))
          seconds (/ (- (System/nanoTime) began) 1e9)]
      (println (str "[" (reduce + (take counted done)) ", " seconds ", "
                    (- (cpu-seconds) cpu) "]"))
      (flush)))
  (shutdown-agents))
