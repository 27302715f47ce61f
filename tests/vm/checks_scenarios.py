# SPDX-License-Identifier: GPL-2.0-or-later
"""The daemon on the display simulator: the cases that a client of the display interface must stand, by their numbers."""

import simulator
from machine import always, expect


@always
def the_simulator_leaves_nothing():
    simulator.load()
    expect(not any(simulator.alive().values()), "%s" % simulator.alive())
    said = simulator.unload()
    expect(said == ["clean"], "%s" % said)
