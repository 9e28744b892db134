"""The station of `benchmarks kernels` as a model of Cimba Python, which reads its annotations: so they are no texts here."""

import cimba
from cimba import inputs


class Station(cimba.Model):
    """Arrivals put into a container, from which four standing servers take."""

    interarrival: cimba.Input[float] = inputs.dist.exponential(mean=1.0 / 3.2)
    service: cimba.Input[float] = inputs.dist.exponential(mean=1.0)
    queue: cimba.Container
    level: cimba.Output[float]

    @cimba.process
    def arrivals(self):
        while True:
            cimba.hold(self.interarrival.next())
            self.queue.put(1)

    @cimba.process(copies=4)
    def server(self):
        while True:
            self.queue.get(1)
            cimba.hold(self.service.next())

    @cimba.on_end
    def measure(self):
        self.level = self.queue.mean_level()
