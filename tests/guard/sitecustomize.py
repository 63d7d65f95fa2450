"""On the path of every Python that the tests start, kernels included: refuses the network beyond this machine."""

import socket

_connect = socket.socket.connect
LOCAL = ("127.", "::1", "localhost")


def connect(self, address):
    """Connect to this machine only."""
    if self.family in (socket.AF_INET, socket.AF_INET6) and not str(address[0]).startswith(LOCAL):
        raise OSError(f"the tests refuse the network: {address[0]}")
    return _connect(self, address)


socket.socket.connect = connect
