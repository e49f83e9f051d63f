#!/bin/sh
# Writes the stubs in v1/ from the contract, and version.go from the file VERSION. The plugins' versions stand in
# tools/go.mod; the compiler is buf, of the Python environment that `make` in the root makes.
set -eu
cd "$(dirname "$0")"
buf=${BUF:-../../.venv/bin/buf}
test -x "$buf" || { echo "there is no $buf: make the environment (make check in the root), or name another by BUF=" >&2; exit 1; }
rm -f v1/*.pb.go
"$buf" generate ../.. --template buf.gen.yaml
version=$(cat ../../VERSION)
sed "s/^const Version = .*/const Version = \"$version\"/" version.go >version.go.new
if cmp -s version.go version.go.new; then rm version.go.new; else mv version.go.new version.go; fi
