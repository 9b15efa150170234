#include "mpi/cut.h"
void cr_mpi_cut_init(void)
{
}
