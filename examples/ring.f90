! SPDX-License-Identifier: GPL-2.0-or-later
! ring.f90 - a number goes round all ranks, an ordinary Fortran MPI program
!
! usage: ring [ROUNDS [STOP]]
!
! Ends early, at the next report, when a file STOP appears.
program ring
  use mpi
  implicit none
  integer :: rank, ranks, next, before, rounds, i, ierr
  integer(kind=8) :: token, total
  character(len=4096) :: arg, stop_file
  logical :: stopped

  call mpi_init(ierr)
  call mpi_comm_rank(mpi_comm_world, rank, ierr)
  call mpi_comm_size(mpi_comm_world, ranks, ierr)
  rounds = 100000
  if (command_argument_count() > 0) then
    call get_command_argument(1, arg)
    read (arg, *) rounds
  end if
  call get_command_argument(2, stop_file)
  next = mod(rank + 1, ranks)
  before = mod(rank + ranks - 1, ranks)

  token = rank
  do i = 1, rounds
    call mpi_sendrecv_replace(token, 1, mpi_integer8, next, 7, before, 7, &
                              mpi_comm_world, mpi_status_ignore, ierr)
    token = mod(token * 31 + rank + i, 1000003_8)
    if (mod(i, 10000) == 0) then
      call mpi_allreduce(token, total, 1, mpi_integer8, mpi_sum, &
                         mpi_comm_world, ierr)
      if (rank == 0) then
        print '(a,i10,a,i12)', 'round ', i, ' sum ', total
        flush (6)
      end if
      if (stop_file /= '') then
        inquire (file=stop_file, exist=stopped)
        call mpi_bcast(stopped, 1, mpi_logical, 0, mpi_comm_world, ierr)
        if (stopped) exit
      end if
    end if
  end do
  call mpi_finalize(ierr)
end program ring
