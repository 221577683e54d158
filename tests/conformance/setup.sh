#!/bin/sh
# Installs the conformance suites into a virtual environment of their own, below the build directory. When they are
# there in the versions of requirements.txt it just returns.
set -eu
cd "$(dirname "$0")/../.."

wanted=tests/conformance/requirements.txt
venv=${CARGO_TARGET_DIR:-target}/conformance/venv
installed=$venv/requirements.txt

if cmp -s "$wanted" "$installed" && "$venv/bin/python" -c ''; then
    exit 0
fi

# Debian keeps what makes virtual environments in a package of its own.
python3 -c 'import ensurepip, venv' 2>/dev/null || tests/setup.sh python3 python3-venv

echo "conformance: installing the suites"
rm -rf "$venv"
mkdir -p "$(dirname "$venv")"
python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$wanted"
cp "$wanted" "$installed"
