! SPDX-License-Identifier: GPL-2.0-or-later
! fortran.f90 - what Fortran's library does past the C functions: operations,
! attributes with functions of the program, kept over checkpoints
!
!	fortran STEPS|STOP
!
! It takes so many steps, or goes on until a file STOP exists.
program fortran
  use mpi
  implicit none
  integer :: ierr, r, n, op, key, comm, step, steps
  integer(kind=MPI_ADDRESS_KIND) :: val, ext
  logical :: flag, stopped
  character(len=4096) :: arg
  double precision :: a(3), b(3), total
  external :: twice, copy_attr, delete_attr

  call get_command_argument(1, arg)
  read (arg, '(i10)', iostat=ierr) steps
  if (ierr /= 0) steps = huge(steps)
  call MPI_INIT(ierr)
  call MPI_COMM_RANK(MPI_COMM_WORLD, r, ierr)
  call MPI_COMM_SIZE(MPI_COMM_WORLD, n, ierr)
  call MPI_OP_CREATE(twice, .true., op, ierr)
  ext = 1
  call MPI_COMM_CREATE_KEYVAL(copy_attr, delete_attr, key, ext, ierr)
  val = 0
  call MPI_COMM_SET_ATTR(MPI_COMM_WORLD, key, val, ierr)
  total = 0
  do step = 1, steps
    ! the attribute of a duplicate is one more; back to the original
    call MPI_COMM_DUP(MPI_COMM_WORLD, comm, ierr)
    call MPI_COMM_GET_ATTR(comm, key, val, flag, ierr)
    if (.not. flag .or. val /= step) call MPI_ABORT(MPI_COMM_WORLD, 2, ierr)
    call MPI_COMM_SET_ATTR(MPI_COMM_WORLD, key, val, ierr)
    a = r + step
    call MPI_ALLREDUCE(a, b, 3, MPI_DOUBLE_PRECISION, op, comm, ierr)
    call MPI_ALLREDUCE(MPI_IN_PLACE, b, 3, MPI_DOUBLE_PRECISION, MPI_SUM, &
                       comm, ierr)
    total = total + b(2)
    call MPI_COMM_FREE(comm, ierr)
    if (mod(step, 100) /= 0) cycle
    if (r == 0) then
      print '(a, i0)', 'step ', step
      flush (6)
    end if
    inquire (file=arg, exist=stopped)
    call MPI_BCAST(stopped, 1, MPI_LOGICAL, 0, MPI_COMM_WORLD, ierr)
    if (stopped) exit
  end do
  if (r == 0) print '(a, f0.1, a, i0)', 'total ', total, ' after ', min(step, steps)
  call MPI_FINALIZE(ierr)
end program

subroutine twice(x, y, n, t)
  implicit none
  integer :: n, t
  double precision :: x(n), y(n)
  y = y + 2 * x
end subroutine

subroutine copy_attr(comm, key, extra, val, new, flag, ierr)
  use mpi
  implicit none
  integer :: comm, key, ierr
  integer(kind=MPI_ADDRESS_KIND) :: extra, val, new
  logical :: flag
  new = val + extra
  flag = .true.
  ierr = MPI_SUCCESS
end subroutine

subroutine delete_attr(comm, key, val, extra, ierr)
  use mpi
  implicit none
  integer :: comm, key, ierr
  integer(kind=MPI_ADDRESS_KIND) :: extra, val
  ierr = MPI_SUCCESS
end subroutine
