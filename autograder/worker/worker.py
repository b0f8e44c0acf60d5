"""The worker: answers the grader's requests by calling student code, one after the other."""
import functools
import inspect
import socket

import torch
from torch.utils.data import DataLoader

from autograder.worker import wire
from autograder.worker.invoke import Invoker, seed_new_generators


def serve(requests: socket.socket, config: dict, limits: dict) -> None:
    """Answer until the grader hangs up. An answer that cannot travel is replaced by an error that can."""
    torch.set_num_threads(limits["threads"])
    seed_new_generators()
    if config["landlock"] and not config["private_pids"]:
        load_without_processes()
    invoke = Invoker(config["package"])
    wire.send(requests, {"ready": True})
    while True:
        try:
            request = wire.receive(requests)
        except EOFError:
            return
        reply = invoke(request)
        try:
            wire.send(requests, reply)
        except (wire.WireError, ValueError, TypeError, RuntimeError, RecursionError) as error:
            wire.send(requests, {"error": {"kind": "unsendable", "type": type(error).__name__}})


def load_without_processes() -> None:
    """Let every DataLoader load in this process, in the same order.

    Processes of its own need semaphores in /dev/shm. With Landlock alone that folder is closed, for it is everybody's.
    """
    original, signature = DataLoader.__init__, inspect.signature(DataLoader.__init__)

    @functools.wraps(original)
    def init(*args, **kwargs):
        given = signature.bind(*args, **kwargs).arguments
        for name in ("num_workers", "timeout", "multiprocessing_context", "prefetch_factor", "persistent_workers"):
            given.pop(name, None)
        original(**given)

    DataLoader.__init__ = init
