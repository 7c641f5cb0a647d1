"""A script that was started without standard streams."""

from __future__ import annotations

import os

from dtui.standard_streams import occupy_closed


def test_no_file_of_ours_gets_the_number_of_a_standard_stream() -> None:
    child = os.fork()
    if not child:
        for number in (0, 1, 2):
            os.close(number)
        occupy_closed()
        taken = [os.open(os.devnull, os.O_RDWR) for _ in range(2)]
        os._exit(0 if min(taken) > 2 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
