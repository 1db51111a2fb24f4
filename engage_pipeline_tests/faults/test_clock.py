"""Another time zone and a clock that is wrong by more than a year: the same bytes."""

import os
import shutil
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from engage_pipeline.catalogue import ancestry
from engage_pipeline_tests import worlds

pytestmark = pytest.mark.long
SHIFT = timedelta(days=400)
SHIFTED_CLOCK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/time.h>
#include <time.h>
#define SHIFT %d
int clock_gettime(clockid_t id, struct timespec *now) {
    int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(id, now);
    if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE) now->tv_sec += SHIFT;
    return result;
}
time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}
int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}
"""
RUN = """
import sys, time
from pathlib import Path
from engage_pipeline_tests import worlds
worlds.run(worlds.make_world(Path(sys.argv[1])), "submission")
print(time.tzname[0])
"""


def shifted_clock(folder: Path) -> dict[str, str]:
    """What makes a process's clock run SHIFT ahead; nothing where there is no C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return {}
    (folder / "clock.c").write_text(SHIFTED_CLOCK % SHIFT.total_seconds(), encoding="ascii")
    library = folder / "clock.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(library), str(folder / "clock.c")], check=True)
    return {"LD_PRELOAD": str(library)}


@pytest.mark.long
def test_another_time_zone_and_a_wrong_clock_change_no_byte(finished_world: Path, tmp_path: Path) -> None:
    clock = shifted_clock(tmp_path)
    world = tmp_path / "world"
    world.mkdir()
    environment = {**os.environ, **clock, "TZ": "Asia/Tokyo", "LC_ALL": "C"}
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(world)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "JST"
    here, there = (worlds.store_of(folder / "config.yaml") for folder in (finished_world, world))
    for name in sorted(ancestry("submission")):
        for key in here.parts() if name in {"tweet_parts", "interaction_features"} else [None]:
            one, other = here.manifest(name, key), there.manifest(name, key)
            assert one is not None
            assert other is not None
            assert one.files == other.files, (name, key)
            ahead = datetime.fromisoformat(other.created) - datetime.fromisoformat(one.created)
            assert ahead > (SHIFT - timedelta(days=1) if clock else timedelta(0))
