"""The columns of the comparison."""

from comparison.fio import Workload

MIB = 1 << 20

WORKLOADS = (
    Workload("read_qd1", "4 KiB random read, queue depth 1", "randread"),
    Workload("write_qd1", "4 KiB random write, queue depth 1", "randwrite"),
    Workload("read_qd32", "4 KiB random read, queue depth 32", "randread", depth=32),
    Workload("write_qd32", "4 KiB random write, queue depth 32", "randwrite", depth=32),
    Workload("read_1m", "1 MiB sequential read, queue depth 8", "read", MIB, 8),
    Workload("write_1m", "1 MiB sequential write, queue depth 8", "write", MIB, 8),
    Workload("mixed_qd32", "4 KiB mixed, 70 % reads, queue depth 32", "randrw", depth=32,
             extra=("--rwmixread=70",)),
    Workload("fsync", "4 KiB random write, fsync after each", "randwrite", extra=("--fsync=1",)),
)
