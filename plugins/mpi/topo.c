/* SPDX-License-Identifier: GPL-2.0-or-later */
/* topo.c - process topologies */
#include <stdlib.h>
#include <string.h>

#include "mpi/objects.h"

void cr_mpi_comm_topology_free(struct cr_mpi_comm *c)
{
	free(c->dims);
	free(c->periods);
	free(c->coords);
	free(c->index);
	free(c->edges);
	free(c->sources);
	free(c->destinations);
	free(c->source_weights);
	free(c->destination_weights);
}

void cr_mpi_comm_topology_copy(struct cr_mpi_comm *to,
			       const struct cr_mpi_comm *from)
{
	to->topology = from->topology;
	to->ndims = from->ndims;
	to->dims = cr_mpi_ints(from->dims, from->ndims);
	to->periods = cr_mpi_ints(from->periods, from->ndims);
	to->coords = cr_mpi_ints(from->coords, from->ndims);
	to->nnodes = from->nnodes;
	to->nedges = from->nedges;
	to->index = cr_mpi_ints(from->index, from->nnodes);
	to->edges = cr_mpi_ints(from->edges, from->nedges);
	to->indegree = from->indegree;
	to->outdegree = from->outdegree;
	to->sources = cr_mpi_ints(from->sources, from->indegree);
	to->destinations = cr_mpi_ints(from->destinations, from->outdegree);
	if (from->source_weights)
		to->source_weights = cr_mpi_ints(from->source_weights,
						 from->indegree);
	if (from->destination_weights)
		to->destination_weights = cr_mpi_ints(
			from->destination_weights, from->outdegree);
}

/* Inside: what the lower half made of it. */
static void read_cart(struct cr_mpi_comm *c, MPI_Comm lower)
{
	c->topology = CR_MPI_TOPO_CART;
	CR_LOWER(cr_mpi_low.Cartdim_get(lower, &c->ndims));
	c->dims = cr_mpi_ints(NULL, c->ndims);
	c->periods = cr_mpi_ints(NULL, c->ndims);
	c->coords = cr_mpi_ints(NULL, c->ndims);
	CR_LOWER(cr_mpi_low.Cart_get(lower, c->ndims, c->dims, c->periods,
				     c->coords));
}

static void read_dist_graph(struct cr_mpi_comm *c, MPI_Comm lower)
{
	int weighted;

	c->topology = CR_MPI_TOPO_DIST_GRAPH;
	CR_LOWER(cr_mpi_low.Dist_graph_neighbors_count(
		lower, &c->indegree, &c->outdegree, &weighted));
	c->sources = cr_mpi_ints(NULL, c->indegree);
	c->destinations = cr_mpi_ints(NULL, c->outdegree);
	if (weighted) {
		c->source_weights = cr_mpi_ints(NULL, c->indegree);
		c->destination_weights = cr_mpi_ints(NULL, c->outdegree);
	}
	CR_LOWER(cr_mpi_low.Dist_graph_neighbors(
		lower, c->indegree, c->sources,
		weighted ? c->source_weights : MPI_UNWEIGHTED, c->outdegree,
		c->destinations,
		weighted ? c->destination_weights : MPI_UNWEIGHTED));
}

/* The comm "from" has the right members in the right order already. */
int cr_mpi_topology_rebuild(struct cr_mpi_comm *c, MPI_Comm from, MPI_Comm *to)
{
	bool weighted = c->source_weights != NULL;

	switch (c->topology) {
	case CR_MPI_TOPO_CART:
		return CR_LOWER(cr_mpi_low.Cart_create(
			from, c->ndims, c->dims, c->periods, 0, to));
	case CR_MPI_TOPO_GRAPH:
		return CR_LOWER(cr_mpi_low.Graph_create(
			from, c->nnodes, c->index, c->edges, 0, to));
	case CR_MPI_TOPO_DIST_GRAPH:
		return CR_LOWER(cr_mpi_low.Dist_graph_create_adjacent(
			from, c->indegree, c->sources,
			weighted ? c->source_weights : MPI_UNWEIGHTED,
			c->outdegree, c->destinations,
			weighted ? c->destination_weights : MPI_UNWEIGHTED,
			cr_mpi_lower(CR_PRE(ompi_mpi_info_null)), 0, to));
	default:
		return MPI_ERR_TOPOLOGY;
	}
}

int MPI_Cart_create(MPI_Comm comm, int ndims, const int dims[],
		    const int periods[], int reorder, MPI_Comm *newcomm)
{
	int r;

	CR_MPI_CREATE(comm, newcomm, r, ,
	       cr_mpi_low.Cart_create(lc, ndims, dims, periods, reorder,
				      &made),
	       read_cart(c, made););
	return r;
}
CR_MPI_ALIAS(Cart_create, (MPI_Comm comm, int ndims, const int dims[],
			   const int periods[], int reorder,
			   MPI_Comm *newcomm));

int MPI_Cart_sub(MPI_Comm comm, const int remain[], MPI_Comm *newcomm)
{
	int r;

	CR_MPI_CREATE(comm, newcomm, r, , cr_mpi_low.Cart_sub(lc, remain, &made),
	       read_cart(c, made););
	return r;
}
CR_MPI_ALIAS(Cart_sub, (MPI_Comm comm, const int remain[],
			MPI_Comm *newcomm));

int MPI_Graph_create(MPI_Comm comm, int nnodes, const int index[],
		     const int edges[], int reorder, MPI_Comm *newcomm)
{
	int r;

	CR_MPI_CREATE(comm, newcomm, r, ,
	       cr_mpi_low.Graph_create(lc, nnodes, index, edges, reorder,
				       &made),
	       c->topology = CR_MPI_TOPO_GRAPH;
	       c->nnodes = nnodes;
	       c->nedges = nnodes > 0 ? index[nnodes - 1] : 0;
	       c->index = cr_mpi_ints(index, nnodes);
	       c->edges = cr_mpi_ints(edges, c->nedges););
	return r;
}
CR_MPI_ALIAS(Graph_create, (MPI_Comm comm, int nnodes, const int index[],
			    const int edges[], int reorder,
			    MPI_Comm *newcomm));

int MPI_Dist_graph_create(MPI_Comm comm, int n, const int nodes[],
			  const int degrees[], const int targets[],
			  const int weights[], MPI_Info info, int reorder,
			  MPI_Comm *newcomm)
{
	MPI_Info li;
	int r;

	CR_MPI_CREATE(comm, newcomm, r, li = cr_mpi_lower_info(info);,
	       cr_mpi_low.Dist_graph_create(lc, n, nodes, degrees, targets,
					    weights, li, reorder, &made),
	       read_dist_graph(c, made););
	return r;
}
CR_MPI_ALIAS(Dist_graph_create,
	     (MPI_Comm comm, int n, const int nodes[], const int degrees[],
	      const int targets[], const int weights[], MPI_Info info,
	      int reorder, MPI_Comm *newcomm));

int MPI_Dist_graph_create_adjacent(MPI_Comm comm, int indegree,
				   const int sources[], const int sweights[],
				   int outdegree, const int destinations[],
				   const int dweights[], MPI_Info info,
				   int reorder, MPI_Comm *newcomm)
{
	MPI_Info li;
	int r;

	CR_MPI_CREATE(comm, newcomm, r, li = cr_mpi_lower_info(info);,
	       cr_mpi_low.Dist_graph_create_adjacent(
		       lc, indegree, sources, sweights, outdegree,
		       destinations, dweights, li, reorder, &made),
	       read_dist_graph(c, made););
	return r;
}
CR_MPI_ALIAS(Dist_graph_create_adjacent,
	     (MPI_Comm comm, int indegree, const int sources[],
	      const int sweights[], int outdegree, const int destinations[],
	      const int dweights[], MPI_Info info, int reorder,
	      MPI_Comm *newcomm));

/* ---- answered here ---- */

int MPI_Topo_test(MPI_Comm comm, int *status)
{
	static const int as[] = {
		[CR_MPI_TOPO_NONE] = MPI_UNDEFINED,
		[CR_MPI_TOPO_CART] = MPI_CART,
		[CR_MPI_TOPO_GRAPH] = MPI_GRAPH,
		[CR_MPI_TOPO_DIST_GRAPH] = MPI_DIST_GRAPH,
	};

	*status = as[cr_mpi_comm_of(comm)->topology];
	return MPI_SUCCESS;
}
CR_MPI_ALIAS(Topo_test, (MPI_Comm comm, int *status));

static bool topology_is(MPI_Comm comm, enum cr_mpi_topology topology)
{
	return cr_mpi_comm_of(comm)->topology == topology;
}

static void copy_ints(int *to, const int *from, int n, int max)
{
	for (int i = 0; i < n && i < max; i++)
		to[i] = from[i];
}

int MPI_Cartdim_get(MPI_Comm comm, int *ndims)
{
	if (!topology_is(comm, CR_MPI_TOPO_CART))
		return cr_mpi_error(comm, MPI_ERR_TOPOLOGY);
	*ndims = cr_mpi_comm_of(comm)->ndims;
	return MPI_SUCCESS;
}
CR_MPI_ALIAS(Cartdim_get, (MPI_Comm comm, int *ndims));

int MPI_Cart_get(MPI_Comm comm, int max, int dims[], int periods[],
		 int coords[])
{
	struct cr_mpi_comm *c = cr_mpi_comm_of(comm);

	if (!topology_is(comm, CR_MPI_TOPO_CART))
		return cr_mpi_error(comm, MPI_ERR_TOPOLOGY);
	copy_ints(dims, c->dims, c->ndims, max);
	copy_ints(periods, c->periods, c->ndims, max);
	copy_ints(coords, c->coords, c->ndims, max);
	return MPI_SUCCESS;
}
CR_MPI_ALIAS(Cart_get, (MPI_Comm comm, int max, int dims[], int periods[],
			int coords[]));

int MPI_Graphdims_get(MPI_Comm comm, int *nnodes, int *nedges)
{
	if (!topology_is(comm, CR_MPI_TOPO_GRAPH))
		return cr_mpi_error(comm, MPI_ERR_TOPOLOGY);
	*nnodes = cr_mpi_comm_of(comm)->nnodes;
	*nedges = cr_mpi_comm_of(comm)->nedges;
	return MPI_SUCCESS;
}
CR_MPI_ALIAS(Graphdims_get, (MPI_Comm comm, int *nnodes, int *nedges));

int MPI_Graph_get(MPI_Comm comm, int maxindex, int maxedges, int index[],
		  int edges[])
{
	struct cr_mpi_comm *c = cr_mpi_comm_of(comm);

	if (!topology_is(comm, CR_MPI_TOPO_GRAPH))
		return cr_mpi_error(comm, MPI_ERR_TOPOLOGY);
	copy_ints(index, c->index, c->nnodes, maxindex);
	copy_ints(edges, c->edges, c->nedges, maxedges);
	return MPI_SUCCESS;
}
CR_MPI_ALIAS(Graph_get, (MPI_Comm comm, int maxindex, int maxedges,
			 int index[], int edges[]));
