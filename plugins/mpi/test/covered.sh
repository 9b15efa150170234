#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# covered.sh - no MPI function of the program's own libmpi can be reached:
# libcr_mpi.so defines every one, as MPI_x and as PMPI_x
#
# Left out: MPI_T_* (the library's own variables, which say of themselves
# that MPI is not initialised) and the constants of Fortran that are functions
# and look at nothing but their arguments.

lib=$(find /usr/lib /usr/lib64 -name 'libmpi.so.40' 2>/dev/null | head -n 1)
[ -n "$lib" ] || { echo "no libmpi.so.40"; exit 77; }
ours=$(find .libs plugins/mpi/.libs -name libcr_mpi.so 2>/dev/null | head -n 1)
[ -n "$ours" ] || { echo "libcr_mpi.so is not built"; exit 1; }

names() {
	nm -D --defined-only "$1" | awk '$2 ~ /[TWi]/ {print $3}' |
		grep -E '^P?MPIX?_[A-Z]' |
		grep -Ev '^P?MPI_T_|_F90$|_(DUP|NULL_COPY|NULL_DELETE)_FN$|CONVERSION_FN_NULL' |
		sort -u
}

names "$lib" > covered.theirs.$$
names "$ours" > covered.ours.$$
missing=$(comm -23 covered.theirs.$$ covered.ours.$$)
n=$(wc -l < covered.theirs.$$)
rm -f covered.theirs.$$ covered.ours.$$
if [ -n "$missing" ]; then
	echo "not covered:" $missing
	exit 1
fi
if objdump -p "$ours" | grep -q 'NEEDED.*libmpi'; then
	echo "libcr_mpi.so must not bring libmpi into programs without it"
	exit 1
fi
echo "$n functions of $lib are covered"
