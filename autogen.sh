#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Generate the configure script and its helpers.
set -e
cd "$(dirname "$0")"
mkdir -p m4 build-aux
exec autoreconf --force --install
