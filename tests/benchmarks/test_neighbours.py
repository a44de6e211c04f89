"""What the neighbours' benchmark reckons with."""

import math
import os
import socket
import threading
from collections.abc import Sequence

import httpx
import pytest

from benchmarks import bench_neighbours as bench
from benchmarks.processes import memory, tree_memory_mb
