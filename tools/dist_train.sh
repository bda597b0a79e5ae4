#!/usr/bin/env bash
# Train with N processes on this machine: tools/dist_train.sh CONFIG N [ARGS of train.py]
# Several machines: NNODES, NODE_RANK, MASTER_ADDR and PORT in the environment.
set -euo pipefail
if (($# < 2)); then
    echo "usage: $0 CONFIG NUM_PROCESSES [ARGS]" >&2
    exit 2
fi
tools=$(CDPATH= cd -- "$(dirname "$0")" && pwd)
# Several runs on one machine need different ports, the machines of a run the same.
port=${PORT:-$((${NNODES:-1} > 1 ? 29500 : 12000 + RANDOM % 20000))}
# This is torchrun, of the python in use.
PYTHONPATH="$tools/..${PYTHONPATH:+:$PYTHONPATH}" exec python -m torch.distributed.run \
    --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="$port" \
    --nproc_per_node="$2" "$tools/train.py" "$1" --launcher pytorch "${@:3}"
