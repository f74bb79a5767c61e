"""What bench/compare, bench/latency, bench/scaling and bench/past share; see the modules:

machine    facts about the machine, its processor time, missing packages, the program to measure
stand      what has been set up (directories, mounts, processes, loop devices) and its taking down
servers    the memory disks: rnullfs and its peers
subjects   the rows of the comparison: a disk, and how it is reached
workloads  the columns of the comparison
resets     ways to reset a test disk
fio        one run of fio, and what it says
figures    medians, ratios and their spread
table      aligned text, and the file of results
chart      bar charts as SVG
"""
