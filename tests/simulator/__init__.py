"""A whole district in one thread: the real rooms of recorders, kiosk and centre, over a network, a broker, cards and
clocks that are simulated and go wrong as a seed says. A seed that fails fails again."""
