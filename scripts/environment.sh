#!/bin/sh
# Prints the Python of tests/environments/NAME.txt, an environment below build/ that is made when it is absent or old.
#
# For packages that slow tests want and .venv cannot hold. Prints nothing where they cannot be installed: what needs them
# is then skipped, with its reason.
set -eu
cd "$(dirname "$0")/.."

REQUIREMENTS=tests/environments/$1.txt
FOLDER=build/environments/$1
if ! cmp -s "$REQUIREMENTS" "$FOLDER/requirements.txt"; then
    .venv/bin/python -m venv --clear "$FOLDER" >&2
    "$FOLDER/bin/python" -m pip install --disable-pip-version-check --quiet -r "$REQUIREMENTS" >&2 || exit 0
    cp "$REQUIREMENTS" "$FOLDER/requirements.txt" # last: it says that the rest is there
fi
echo "$PWD/$FOLDER/bin/python"
