#!/bin/sh
# Prints the path of a Python that has tflite-runtime 2.14 and numpy 1, which it needs; makes it below build/ when absent.
#
# An older judge than LiteRT, for the slow tests only: it cannot live in .venv, whose numpy is 2. Prints nothing where the
# package has no wheel for this Python; the test that wants it is then skipped.
set -eu
cd "$(dirname "$0")/.."

FOLDER=build/tflite-runtime
if ! "$FOLDER/bin/python" -c 'import tflite_runtime' >/dev/null 2>&1; then
    .venv/bin/python -m venv --clear "$FOLDER" >&2
    "$FOLDER/bin/python" -m pip install --disable-pip-version-check --quiet tflite-runtime==2.14.0 numpy==1.26.4 >&2 || exit 0
fi
echo "$PWD/$FOLDER/bin/python"
