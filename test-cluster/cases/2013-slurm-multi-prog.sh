#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# srun --multi-prog: other programs, each goes on; one that cannot is refused
# time limit: 300
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/slurm.sh"
slurm_up 2

slurm_script work.sh <<'END'
#!/bin/bash
for i in $(seq 14); do
	[ $i != 8 ] || until [ -e go ]; do sleep 0.1; done
	echo "$1 task $SLURM_PROCID at $i"
	sleep 0.25
done
env | grep ^CR_TASK
exit $2
END
cc_prog count - <<'END'
#include <stdio.h>
#include <unistd.h>
int main(int argc, char **argv)
{
	for (int i = 1; i <= 14; i++) {
		printf("%s task %s at %d\n", argv[1], argv[2], i);
		fflush(stdout);
		while (i == 7 && access("go", F_OK))
			usleep(100000);
		usleep(250000);
	}
	return argc - 3;
}
END
install -m 755 count "$BOX/shared/count"
cat > "$BOX/shared/programs" <<END
0	./work.sh alpha 3
1	$BOX/shared/count beta %t
2-3	bash ./work.sh gamma%o 0
END
slurm_script job.sh <<'END'
#!/bin/bash
#SBATCH --checkpoint
#SBATCH -N2 -n4
srun -n4 --multi-prog $1
echo "srun gave $?"
END
slurm_submit job.sh programs
wait_for 'slurm_has "gamma1 task 3 at 4" && slurm_has "beta task 1 at 4"' 60
slurm_try create "$JOB"
slurm_try show "$JOB" | grep -c '  rank .*context' | grep -qx 4
slurm_requeue
slurm_restarted 1
touch "$BOX/shared/go"
[ "$(slurm_finish)" = "COMPLETED 0:0" ]
for w in "alpha task 0" "beta task 1" "gamma0 task 2" "gamma1 task 3"; do
	seq -f "$w at %.0f" 14 > want
	grep "^$w " "$OUT" | diff want -
done
slurm_has "srun gave 3"
must_fail grep -q ^CR_TASK "$OUT"

note "a static program cannot be caught: refused, never begun anew"
cc_prog static - -static <<'END'
#include <stdio.h>
#include <unistd.h>
int main(void)
{
	puts("static");
	fflush(stdout);
	while (access("go.2", F_OK))
		usleep(100000);
	return 0;
}
END
install -m 755 static "$BOX/shared/static"
echo "0-1 $BOX/shared/static" > "$BOX/shared/static.programs"
slurm_script static.sh <<'END'
#!/bin/bash
#SBATCH --checkpoint
#SBATCH -N2 -n2
srun --multi-prog static.programs
echo "srun gave $?"
END
slurm_submit static.sh
wait_for '[ "$(grep -c static "$OUT")" = 2 ]' 60
must_fail slurm_try create "$JOB" MaxWait=2 2> err
cat err
grep -q 'task [01] of step .* runs, and not by way of cr_task' err
touch "$BOX/shared/go.2"
[ "$(slurm_finish)" = "COMPLETED 0:0" ]
slurm_has "srun gave 0"
