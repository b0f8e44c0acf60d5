#!/usr/bin/env bash
# Gradescope runs this once, as root, when the autograder is built: Python, the pinned packages, a user for student code.
set -euo pipefail
root="${AUTOGRADER_ROOT:-/autograder}"
user="${AUTOGRADER_USER:-student}"

find_python() {
  local name
  for name in python3.13 python3.12 python3.11 python3; do
    if "$name" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$name"
      return
    fi
  done
  return 1
}

install_python() {
  export DEBIAN_FRONTEND=noninteractive
  apt-get update
  apt-get install -y --no-install-recommends python3 python3-venv
  find_python >/dev/null || apt-get install -y --no-install-recommends python3.11 python3.11-venv
}

find_python >/dev/null || install_python || true
python="$(find_python)" || {
  echo "Python 3.11 or newer is needed: choose Ubuntu 24.04 or newer as the base image." >&2
  exit 1
}

# Beside the source, which student code must not be able to open, while it needs Python and its packages.
"$python" -m venv "$root/venv"
if [ -f "$root/source/pip.conf" ]; then
  export PIP_CONFIG_FILE="$root/source/pip.conf"
fi
"$root/venv/bin/python" -m pip install --disable-pip-version-check --no-cache-dir -r "$root/source/requirements.txt"

id -u "$user" >/dev/null 2>&1 || useradd --system --no-create-home --shell /usr/sbin/nologin "$user"
chmod 700 "$root/source"

# A build that would fail at the first submission fails now.
"$root/venv/bin/python" -P "$root/source/grade_one.py" --check
