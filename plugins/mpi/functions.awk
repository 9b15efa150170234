# SPDX-License-Identifier: GPL-2.0-or-later
# functions.awk - makes C from functions.def
#
#   awk -v out=table    -f functions.awk functions.def > mpi_table.h
#   awk -v out=wrappers -f functions.awk functions.def > mpi_wrappers.c

function trim(s) { gsub(/^ +| +$/, "", s); return s }

# Splits "const int counts[]" into type and name; an array becomes a pointer.
function param(p,   n, name, type, dims)
{
	p = trim(p)
	dims = ""
	if (match(p, /\[[^,]*$/)) {
		dims = substr(p, RSTART)
		p = trim(substr(p, 1, RSTART - 1))
	}
	n = match(p, /[A-Za-z_0-9]+$/)
	name = substr(p, RSTART)
	type = trim(substr(p, 1, RSTART - 1))
	gsub(/ +\*/, "*", type)
	P_name[++np] = name
	P_decl[np] = p dims
	P_type[np] = type (dims != "" ? "[]" : "")
}

function kind_of(type)
{
	if (type == "MPI_Comm") return "comm"
	if (type == "MPI_Datatype") return "type"
	if (type == "MPI_Op") return "op"
	if (type == "MPI_Group") return "group"
	if (type == "MPI_Info") return "info"
	if (type == "MPI_Errhandler") return "errhandler"
	if (type == "MPI_Win") return "win"
	if (type == "MPI_File") return "file"
	return ""
}

function wrapper(   i, k, decls, in_, call, after, comm, req, arrays, made)
{
	decls = ""; in_ = ""; call = ""; after = ""; comm = ""; req = ""
	for (i = 1; i <= np; i++) {
		k = kind_of(P_type[i])
		if (k != "") {
			decls = decls "\tMPI_" ctype[k] " l_" P_name[i] ";\n"
			in_ = in_ "\t\tl_" P_name[i] " = cr_mpi_lower_" k \
				"(" P_name[i] ");\n"
			call = call ", l_" P_name[i]
			if (k == "comm" && comm == "")
				comm = P_name[i]
			continue
		}
		if (P_type[i] ~ /^MPI_[A-Z][a-z]+\*$/) {
			k = kind_of(substr(P_type[i], 1,
					   length(P_type[i]) - 1))
			if (k != "") {
				# in and out: the lower half gets a copy
				decls = decls "\tMPI_" ctype[k] " l_" \
					P_name[i] " = NULL;\n"
				call = call ", &l_" P_name[i]
				made = "l_" P_name[i]
				after = after "\t\t*" P_name[i] \
					" = cr_mpi_upper_" k "(l_" \
					P_name[i] ");\n"
				continue
			}
			if (P_type[i] == "MPI_Request*" &&
			    class != "local") {
				decls = decls "\tMPI_Request l_request" \
					" = NULL;\n"
				call = call ", &l_request"
				req = P_name[i]
				continue
			}
		}
		call = call ", " P_name[i]
	}
	call = substr(call, 3)
	print ""
	print "int " full_name "(" args ")"
	print "{"
	arrays = 0 # of handles: not translated, so not let through
	for (i = 1; i <= np; i++)
		if (P_type[i] ~ /MPI_[A-Z][a-z]+\[\]/ && \
		    P_type[i] !~ /MPI_Aint|MPI_Status/)
			arrays = 1
	if (!arrays) {
		print "\tint r_;"
		printf "%s", decls
	}
	print ""
	if (arrays) {
		print "\tcr_mpi_die(\"" full_name \
			" is not supported under libcr_mpi\");"
		print "}"
		print "int P" full_name "(" args ")"
		print "\t__attribute__((alias(\"" full_name "\")));"
		return
	}
	if (class == "refuse")
		print "\tcr_mpi_refuse(\"" full_name "\");"
	if (class == "opens")
		print "\tcr_mpi_opening(\"" full_name "\");"
	if (req != "")
		after = after "\t\t*" req " = cr_mpi_request_other(" \
			"l_request, \"" full_name "\");\n"
	if (after != "")
		after = "\tif (r_ == MPI_SUCCESS) {\n" after "\t}\n"
	if (class == "coll") {
		print "\tCR_MPI_COLL(" comm ","
		printf "%s", (in_ == "" ? "\t\t;\n" : in_)
		print "\t\t, r_, cr_mpi_low." name "(" call "));"
	} else {
		# what may wait for other ranks lets them through, too
		print "\tCR_MPI_CALL(CR_MPI_CLASS_" (class ~ \
			/^(refuse|opens|through)$/ ? "THROUGH" : "LOCAL") ","
		printf "%s", (in_ == "" ? "\t\t;\n" : in_)
		print "\t\t, r_, cr_mpi_low." name "(" call "),"
		printf "%s", after
		print "\t);"
	}
	if (class == "opens")
		print "\tcr_mpi_opened(\"" full_name "\", r_ == MPI_SUCCESS ? " \
			made " : NULL);"
	print "\treturn r_;"
	print "}"
	print "int P" full_name "(" args ")"
	print "\t__attribute__((alias(\"" full_name "\")));"
}

BEGIN {
	ctype["comm"] = "Comm"; ctype["type"] = "Datatype"
	ctype["op"] = "Op"; ctype["group"] = "Group"
	ctype["info"] = "Info"; ctype["errhandler"] = "Errhandler"
	ctype["win"] = "Win"; ctype["file"] = "File"
	print "/* made from functions.def by functions.awk; do not edit */"
	if (out == "table") {
		print "struct cr_mpi_low {"
	} else {
		print "#include \"mpi/wrap.h\""
		print "#pragma GCC diagnostic ignored " \
			"\"-Wmissing-prototypes\""
		print "#pragma GCC visibility push(default)"
	}
}

/^#/ || /^$/ { next }

{
	name = $1
	class = $2
	rest = $0
	sub(/^[^ ]+ +[^ ]+ */, "", rest)
	ret = "int"
	if (rest ~ /^=/) {
		ret = substr(rest, 2)
		sub(/ .*/, "", ret)
		sub(/^[^ ]+ +/, "", rest)
	}
	args = rest
	full_name = (name ~ /^MPIX_/ ? name : "MPI_" name)
	np = 0
	if (args != "void") {
		n_ = split(args, parts, ",")
		for (i_ = 1; i_ <= n_; i_++)
			if (trim(parts[i_]) != "...")
				param(parts[i_])
	}
	if (out == "table") {
		if (class != "own" || ret == "int" || ret == "MPI_Fint" ||
		    ret == "double")
			print "\t" ret " (*" name ")(" args ");"
		else
			print "\t" ret " (*" name ")(" args ");"
		names[++nn] = name
		fulls[nn] = full_name
		classes[nn] = class
	} else if (class ~ /^(local|coll|request|refuse|opens|through)$/) {
		wrapper()
	}
}

END {
	if (out != "table")
		exit
	print "};"
	print ""
	print "/* X(member, name, class) */"
	print "#define CR_MPI_FUNCTIONS(X) \\"
	for (i = 1; i <= nn; i++)
		print "\tX(" names[i] ", \"" fulls[i] "\", " classes[i] ") \\"
	print ""
}
