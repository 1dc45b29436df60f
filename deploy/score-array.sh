#!/bin/bash
#SBATCH --job-name=crossguard-score
#SBATCH --array=0-15
#SBATCH --cpus-per-task=8
#SBATCH --mem=8G
#SBATCH --requeue
# sbatch deploy/score-array.sh INPUT OUTPUT_FOLDER/
# Scores one of 16 shards per task, into one folder that all tasks see. See docs/how-to/score-many-files.md.
# Task 5 alone once more: sbatch --array=5 ...; another number of shards: SHARDS=32 sbatch --array=0-31 ...
set -euo pipefail
# Not SLURM_ARRAY_TASK_COUNT: of a task that is submitted again, that is 1.
shards=${SHARDS:-16}
tasks=${SLURM_ARRAY_TASK_COUNT:-1}
array=${SLURM_ARRAY_TASK_MIN:-}-${SLURM_ARRAY_TASK_MAX:-}
if [[ -z ${SHARDS:-} && $tasks -gt 1 && $tasks -lt 16 && $array == "0-$((tasks - 1))" ]]; then
    echo "--array=$array is $tasks of 16 shards: set SHARDS=$tasks, or SHARDS=16 to score only these again." >&2
    exit 2
fi
# Without it, srun of Slurm 22.05 and later takes one core.
srun --cpus-per-task="$SLURM_CPUS_PER_TASK" crossguard score "$1" -o "$2" --shards "$SLURM_ARRAY_TASK_ID/$shards"
