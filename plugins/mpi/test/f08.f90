! SPDX-License-Identifier: GPL-2.0-or-later
! f08.f90 - the module mpi_f08: handles of derived types, status, operations,
! nonblocking calls, topologies, errors
!
!	f08 STOP
!
! Every step looks at what it gets; goes on until a file STOP exists.
program f08
  use mpi_f08
  implicit none
  type(MPI_Comm) :: ring, part
  type(MPI_Status) :: st
  type(MPI_Request) :: q(2)
  type(MPI_Datatype) :: pair
  type(MPI_Op) :: op
  type(MPI_Info) :: info
  integer :: r, n, before, after, step, got(2), count, ierr, level
  integer, asynchronous :: inbox(4), outbox(4)
  logical :: stopped
  character(len=4096) :: arg

  call get_command_argument(1, arg)
  call MPI_Init_thread(MPI_THREAD_FUNNELED, level)
  call MPI_Comm_rank(MPI_COMM_WORLD, r)
  call MPI_Comm_size(MPI_COMM_WORLD, n)
  call MPI_Cart_create(MPI_COMM_WORLD, 1, [n], [.true.], .false., ring)
  call MPI_Cart_shift(ring, 0, 1, before, after)
  call MPI_Comm_split(ring, mod(r, 2), r, part)
  call MPI_Type_contiguous(2, MPI_INTEGER, pair)
  call MPI_Type_commit(pair)
  call MPI_Op_create(largest, .true., op)
  call MPI_Info_create(info)
  call MPI_Info_set(info, 'some', 'thing')
  call MPI_Comm_set_errhandler(part, MPI_ERRORS_RETURN)
  step = 0
  do
    step = step + 1
    outbox = [step, r, step + r, step * r]
    call MPI_Irecv(inbox, 2, pair, MPI_ANY_SOURCE, 3, ring, q(1))
    call MPI_Isend(outbox, 2, pair, after, 3, ring, q(2))
    call MPI_Wait(q(1), st)
    call MPI_Get_count(st, pair, count)
    call must(st%MPI_SOURCE == before .and. st%MPI_TAG == 3 .and. count == 2)
    call MPI_Wait(q(2), MPI_STATUS_IGNORE)
    call must(all(inbox == [step, before, step + before, step * before]))
    got = [r, step]
    call MPI_Allreduce(MPI_IN_PLACE, got, 2, MPI_INTEGER, op, ring)
    call must(got(1) == n - 1 .and. got(2) == step)
    call MPI_Send(got, 1, MPI_INTEGER, n + 5, 0, part, ierr)
    call must(ierr /= MPI_SUCCESS)
    if (mod(step, 100) /= 0) cycle
    if (r == 0) then
      print '(a, i0)', 'step ', step
      flush (6)
    end if
    inquire (file=arg, exist=stopped)
    call MPI_Bcast(stopped, 1, MPI_LOGICAL, 0, MPI_COMM_WORLD)
    if (stopped) exit
  end do
  if (r == 0) print '(a)', 'ends well'
  call MPI_Finalize()

contains

  subroutine must(yes)
    logical, intent(in) :: yes

    if (yes) return
    print '(a, i0, a, i0)', 'wrong at step ', step, ' of rank ', r
    call MPI_Abort(MPI_COMM_WORLD, 3)
  end subroutine

  subroutine largest(in, inout, count, type)
    use, intrinsic :: iso_c_binding, only: c_ptr, c_f_pointer
    type(c_ptr), value :: in, inout
    integer :: count
    type(MPI_Datatype) :: type
    integer, pointer :: a(:), b(:)

    call c_f_pointer(in, a, [count])
    call c_f_pointer(inout, b, [count])
    if (type == MPI_INTEGER) b = max(a, b)
  end subroutine

end program
