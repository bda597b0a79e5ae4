#!/usr/bin/env bash
# Test with N processes: tools/dist_test.sh CONFIG CHECKPOINT N [ARGS of test.py]
# Several machines: NNODES, NODE_RANK, MASTER_ADDR and PORT in the environment.
set -euo pipefail
if (($# < 3)); then
    echo "usage: $0 CONFIG CHECKPOINT NUM_PROCESSES [ARGS]" >&2
    exit 2
fi
tools=$(CDPATH= cd -- "$(dirname "$0")" && pwd)
# This is torchrun, of the python in use.
PYTHONPATH="$tools/..${PYTHONPATH:+:$PYTHONPATH}" exec python -m torch.distributed.run \
    --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${PORT:-29500}" \
    --nproc_per_node="$3" "$tools/test.py" "$1" "$2" --launcher pytorch "${@:4}"
